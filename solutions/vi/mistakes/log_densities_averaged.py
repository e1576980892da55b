"""Averages the logarithms of the densities."""

TASK = "uncertainty"
HINT = """With one model your density is right. With several it is too small: a single model
that finds y impossible spoils it. What is averaged in a mixture, the densities or their
logarithms?"""


def predictive_logpdf(y, means, stds):
    _check_samples(means, stds)
    _positive("stds", stds)
    z = (y - means) / stds
    logs = -0.5 * math.log(2 * math.pi) - stds.log() - 0.5 * z**2
    return logs.mean(0)
