"""Takes the logarithm of a softmax that has become 0."""

TASK = "logps"
HINT = """Your log-probabilities are right until a token becomes very unlikely, and -inf from there on. What
is exp(-1000) in floating point, and can the logarithm be had without computing it?"""


def token_logps(logits, tokens):
    _check_logits(logits, tokens)
    logp = logits[..., :-1, :].softmax(-1).log()  # (..., T - 1, V)
    return logp.gather(-1, tokens[..., 1:, None]).squeeze(-1)  # (..., T - 1)
