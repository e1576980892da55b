"""Counts every token after the first, prompt and padding included."""

TASK = "logps"
HINT = """When the whole text is marked you are right. Otherwise tokens that nobody marked change your
result. What in your function depends on the mask?"""

_right_logps = response_logps


def response_logps(logits, tokens, mask):
    return _right_logps(logits, tokens.clamp(min=0), torch.ones_like(mask))
