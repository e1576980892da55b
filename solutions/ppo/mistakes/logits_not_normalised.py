"""Returns the raw logit of each token."""

TASK = "logps"
HINT = """Your values change when a constant is added to all logits of a position. What must
log-probabilities add up to, once exp is taken?"""


def token_logps(logits, tokens):
    _check_logits(logits, tokens)
    logp = logits[..., :-1, :]  # (..., T - 1, V)
    return logp.gather(-1, tokens[..., 1:, None]).squeeze(-1)  # (..., T - 1)
