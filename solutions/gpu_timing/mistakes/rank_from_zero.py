"""Counts the r-th sample from zero on both sides."""

TASK = "summary"
HINT = """Your interval is one sample too narrow at each end, and where no interval is possible you
still give one or fail. What is the place of the r-th smallest in a sorted array that starts at 0?"""


def median_interval(samples, confidence=0.95):
    samples = _checked_samples(samples)
    _check_confidence(confidence)
    n, r, below = len(samples), 0, 1
    while below / 2**n <= (1 - confidence) / 2:
        r += 1
        below += math.comb(n, r)
    if r == 0:
        return -math.inf, math.inf
    ordered = np.sort(samples)
    return float(ordered[min(r, n - 1)]), float(ordered[max(n - r - 1, 0)])
