"""Divides by the number of tokens."""

TASK = "logps"
HINT = """For a response of one token you are right. The longer it is, the more your result is too close to
zero. The probability of a sequence is a product over its tokens. What is the logarithm of a product?"""

_right_logps = response_logps


def response_logps(logits, tokens, mask):
    return _right_logps(logits, tokens, mask) / mask[..., 1:].sum(-1).clamp(min=1)
