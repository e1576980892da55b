"""Puts the whole tail on top."""

TASK = "uncertainty"
HINT = """Your interval holds the right share of the samples, and everything left out lies above
it. What does "equal tails" ask of the lower end?"""


def credible_interval(samples, mass):
    if not 0 < mass < 1:
        raise ValueError(f"mass must lie strictly between 0 and 1, got {mass}")
    _check_samples(samples, samples)
    return samples.amin(0), torch.quantile(samples, mass, dim=0)
