"""Sums over the unmasked entries, divides by all."""

TASK = "logps"
HINT = """Your sum is right, and what you divide by also counts what is masked. If filler is added to a
batch, should its mean change?"""


def masked_mean(x, mask):
    _check_mask(mask, x=x)
    return x[mask].sum() / x.numel()
