"""Leaves out the constant of the normaliser."""

TASK = "gaussians"
HINT = """Differences between two of your log densities are right, and each single one is too
large, by the same amount for every coordinate, whatever the scale. What does the density of a
standard normal number integrate to without it?"""


def gaussian_logpdf(x, mean, std):
    x, mean, std = _tensors(x=x, mean=mean, std=std)
    z = (x - mean) / std
    return (-std.log() - 0.5 * z**2).sum(-1)
