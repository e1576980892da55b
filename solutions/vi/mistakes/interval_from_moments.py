"""Assumes a Gaussian: mean and multiples of the standard deviation."""

TASK = "uncertainty"
HINT = """Your interval is symmetric about the mean, also when the samples are skewed. Which
property of the samples is a quantile about?"""


def credible_interval(samples, mass):
    if not 0 < mass < 1:
        raise ValueError(f"mass must lie strictly between 0 and 1, got {mass}")
    _check_samples(samples, samples)
    width = math.sqrt(2) * torch.erfinv(torch.tensor(mass, dtype=samples.dtype)) * samples.std(0, correction=0)
    return samples.mean(0) - width, samples.mean(0) + width
