"""Leaves whitened numbers where the mask is False."""

TASK = "advantages"
HINT = """At unmasked entries you are right. What is due where the mask is False?"""


def whiten(x, mask, *, eps=1e-8):
    _check_mask(mask, x=x)
    centred = x - x[mask].mean()
    variance = centred[mask].square().mean()
    return centred / (variance + eps).sqrt()
