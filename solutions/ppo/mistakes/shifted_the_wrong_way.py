"""Matches the logits at t with the token before."""

TASK = "logps"
HINT = """Your entries pair logits with tokens that the model had already read. At position t it has seen
tokens 0 to t: which one is it guessing?"""


def token_logps(logits, tokens):
    _check_logits(logits, tokens)
    logp = logits[..., 1:, :].log_softmax(-1)  # (..., T - 1, V)
    return logp.gather(-1, tokens[..., :-1, None]).squeeze(-1)  # (..., T - 1)
