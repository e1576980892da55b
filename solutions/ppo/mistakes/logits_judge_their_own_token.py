"""Forgets the shift: the logits at t are matched with token t."""

TASK = "logps"
HINT = """You look up each token in the logits at its own position. What had the model read when it made
those, and which token were they about?"""


def token_logps(logits, tokens):
    _check_logits(logits, tokens)
    logp = logits[..., 1:, :].log_softmax(-1)  # (..., T - 1, V)
    return logp.gather(-1, tokens[..., 1:, None]).squeeze(-1)  # (..., T - 1)
