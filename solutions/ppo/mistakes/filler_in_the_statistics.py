"""Takes mean and variance over everything."""

TASK = "advantages"
HINT = """Your whitening is right where nothing is masked. How much would a batch with more filler change
the advantages of the same responses?"""


def whiten(x, mask, *, eps=1e-8):
    _check_mask(mask, x=x)
    centred = x - x.mean()
    variance = centred.square().mean()
    return torch.where(mask, centred / (variance + eps).sqrt(), 0.0)
