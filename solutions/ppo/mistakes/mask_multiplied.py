"""Multiplies by the mask, which turns NaN times 0 into NaN."""

TASK = "logps"
HINT = """Your mean is right as long as the filler is finite. What is 0 times NaN, and how else can an entry
be left out than by multiplying?"""


def masked_mean(x, mask):
    _check_mask(mask, x=x)
    return (x * mask).sum() / mask.sum()
