"""Returns the standard deviation of the means."""

TASK = "uncertainty"
HINT = """The noise part is right. The other one has the units of y, and its sum with the first
has no meaning. What adds up in the law of total variance?"""


def decompose_variance(means, stds):
    _check_samples(means, stds)
    return (stds**2).mean(0), means.std(0, correction=0)
