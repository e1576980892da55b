"""Shifts the tokens and not the mask."""

TASK = "logps"
HINT = """Tokens and logits are in line. But the token counted first is the one after the response's first,
and at the other end one too many counts. The mask marks tokens: which of the shifted tensors must it
follow?"""


def response_logps(logits, tokens, mask):
    mask = mask[..., :-1]
    targets = tokens[..., 1:].clamp(min=0)
    picked = logits[..., :-1, :].log_softmax(-1).gather(-1, targets[..., None])[..., 0]
    return picked.masked_fill(~mask, 0.0).sum(-1)
