"""Takes the mean and a multiple of its standard error."""

TASK = "summary"
HINT = """Your interval is symmetric about the mean, and one outlier moves and widens it. That
formula wants a bell curve. What can be said about how many samples lie below the median, whatever
their distribution?"""


def median_interval(samples, confidence=0.95):
    samples = _checked_samples(samples)
    _check_confidence(confidence)
    n, r, below = len(samples), 0, 1
    while below / 2**n <= (1 - confidence) / 2:
        r += 1
        below += math.comb(n, r)
    if r == 0:
        return -math.inf, math.inf
    from statistics import NormalDist

    width = NormalDist().inv_cdf((1 + confidence) / 2) * np.std(samples, ddof=1) / n**0.5
    return float(np.mean(samples) - width), float(np.mean(samples) + width)
