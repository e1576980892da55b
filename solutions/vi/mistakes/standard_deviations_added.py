"""Adds the roots of the two parts."""

TASK = "uncertainty"
HINT = """Your mean is right, and your spread too large wherever both parts are there. Two
independent errors of 3 and 4: how large is their sum, typically?"""


def predictive_moments(means, stds):
    _check_samples(means, stds)
    aleatoric, epistemic = decompose_variance(means, stds)
    return means.mean(0), aleatoric.sqrt() + epistemic.sqrt()
