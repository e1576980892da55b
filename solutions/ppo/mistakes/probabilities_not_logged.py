"""Returns probabilities, not their logarithms."""

TASK = "logps"
HINT = """Your values lie between 0 and 1. The probability of a whole response is a product: in which form
can it be added up over tokens?"""


def token_logps(logits, tokens):
    _check_logits(logits, tokens)
    logp = logits[..., :-1, :].softmax(-1)  # (..., T - 1, V)
    return logp.gather(-1, tokens[..., 1:, None]).squeeze(-1)  # (..., T - 1)
