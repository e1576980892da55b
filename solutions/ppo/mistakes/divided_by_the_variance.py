"""Divides by the variance."""

TASK = "advantages"
HINT = """Your result is centred, and its spread is one over what it was. In which unit is a variance?"""


def whiten(x, mask, *, eps=1e-8):
    _check_mask(mask, x=x)
    centred = x - x[mask].mean()
    variance = centred[mask].square().mean()
    return torch.where(mask, centred / (variance + eps), 0.0)
