"""Averages standard deviations, then squares."""

TASK = "uncertainty"
HINT = """The disagreement of the models is right. The noise part is too small unless all models
have the same noise level. What is averaged in E[Var[y | theta]]?"""


def decompose_variance(means, stds):
    _check_samples(means, stds)
    return stds.mean(0) ** 2, means.var(0, correction=0)
