"""Divides by n - 1."""

TASK = "advantages"
HINT = """Your result is too small by a factor that depends on the number of entries only. Which of the two
variances does the task ask for?"""


def whiten(x, mask, *, eps=1e-8):
    _check_mask(mask, x=x)
    centred = x - x[mask].mean()
    variance = centred[mask].square().sum() / (mask.sum() - 1)
    return torch.where(mask, centred / (variance + eps).sqrt(), 0.0)
