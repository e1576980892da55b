"""Leaves 1 - mass out on either side."""

TASK = "uncertainty"
HINT = """Your interval holds less than it should: what may be left out is left out twice. How
much of it belongs to each side?"""


def credible_interval(samples, mass):
    if not 0 < mass < 1:
        raise ValueError(f"mass must lie strictly between 0 and 1, got {mass}")
    _check_samples(samples, samples)
    return torch.quantile(samples, min(mass, 1 - mass), dim=0), torch.quantile(samples, max(mass, 1 - mass), dim=0)
