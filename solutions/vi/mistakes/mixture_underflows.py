"""Takes the densities out of the logarithm."""

TASK = "uncertainty"
HINT = """Near the models your density is right. Far away it is minus infinity: every term is 0
as a float. What can be taken out of the sum before the exponential, so that the largest term is
1?"""


def predictive_logpdf(y, means, stds):
    _check_samples(means, stds)
    _positive("stds", stds)
    z = (y - means) / stds
    logs = -0.5 * math.log(2 * math.pi) - stds.log() - 0.5 * z**2
    return logs.exp().mean(0).log()
