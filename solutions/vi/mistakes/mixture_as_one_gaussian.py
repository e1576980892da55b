"""Replaces the mixture by a Gaussian of the same moments."""

TASK = "uncertainty"
HINT = """With one model your density is right. With several it is that of one wide Gaussian. If
half of the models predict 0 and the others 10, how probable is 5?"""


def predictive_logpdf(y, means, stds):
    _check_samples(means, stds)
    _positive("stds", stds)
    z = (y - means) / stds
    logs = -0.5 * math.log(2 * math.pi) - stds.log() - 0.5 * z**2
    mean, std = predictive_moments(means, stds)
    return gaussian_logpdf(y[..., None], mean[..., None], std[..., None])
