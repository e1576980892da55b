"""Divides by the spread, keeps the mean."""

TASK = "advantages"
HINT = """The spread of your result is 1, and its mean isn't 0. If all advantages are positive, what happens
to the probability of every response that was drawn?"""


def whiten(x, mask, *, eps=1e-8):
    _check_mask(mask, x=x)
    centred = x - x[mask].mean()
    variance = centred[mask].square().mean()
    return torch.where(mask, x / (variance + eps).sqrt(), 0.0)
