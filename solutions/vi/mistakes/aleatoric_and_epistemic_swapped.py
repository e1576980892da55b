"""Returns the two parts in the other order."""

TASK = "uncertainty"
HINT = """Your two parts have the right sum and each other's names. Which of them would vanish
if all sampled models agreed?"""


def decompose_variance(means, stds):
    _check_samples(means, stds)
    return means.var(0, correction=0), (stds**2).mean(0)
