"""Averages over everything."""

TASK = "logps"
HINT = """Your mean is right only where the whole mask is True. Which entries are part of no response?"""


def masked_mean(x, mask):
    _check_mask(mask, x=x)
    return x.mean()
