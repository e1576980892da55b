"""Divides by S - 1."""

TASK = "uncertainty"
HINT = """The noise part is right, and the disagreement of the models is too large by a factor
that approaches 1 as they get more. Their mean is exact for the mixture that is described: over
how many models does one average?"""


def decompose_variance(means, stds):
    _check_samples(means, stds)
    return (stds**2).mean(0), means.var(0) if len(means) > 1 else torch.full_like(means[0], float("nan"))
