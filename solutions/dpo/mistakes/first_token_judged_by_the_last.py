"""Rolls instead of shifting: a marked first token is scored with the logits at the end."""

TASK = "logps"
HINT = """You are right as long as the first token is not marked. Once it is, something more is added. Nothing
comes before the first token. Which logits do you use for it?"""


def response_logps(logits, tokens, mask):
    targets = tokens.masked_fill(~mask, 0)
    picked = logits.log_softmax(-1).roll(1, -2).gather(-1, targets[..., None])[..., 0]
    return picked.masked_fill(~mask, 0.0).sum(-1)
