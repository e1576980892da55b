"""Subtracts the log of the variance where half of it is due."""

TASK = "gaussians"
HINT = """The distance enters your log density rightly; the scale counts twice in the
normaliser. By which factor does log std^2 differ from log std?"""


def gaussian_logpdf(x, mean, std):
    x, mean, std = _tensors(x=x, mean=mean, std=std)
    z = (x - mean) / std
    return (-0.5 * math.log(2 * math.pi) - 2 * std.log() - 0.5 * z**2).sum(-1)
