"""Adds eps to the standard deviation."""

TASK = "advantages"
HINT = """Your result is right to seven digits or so, and wrong for entries that hardly differ. What does
eps join, the variance or its root?"""


def whiten(x, mask, *, eps=1e-8):
    _check_mask(mask, x=x)
    centred = x - x[mask].mean()
    variance = centred[mask].square().mean()
    return torch.where(mask, centred / (variance.sqrt() + eps), 0.0)
