"""Returns the means as samples of y."""

TASK = "uncertainty"
HINT = """Your samples are those of f: every model predicts its mean exactly. Would an interval
of them cover 90% of new measurements?"""


def predictive_samples(means, stds, noise):
    _check_samples(means, stds)
    _check_samples(means, noise)
    return means.clone()
