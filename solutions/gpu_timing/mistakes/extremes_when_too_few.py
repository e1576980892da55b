"""Gives the smallest and largest sample when there are too few."""

TASK = "summary"
HINT = """With many samples your interval is right. With very few you give the two extremes, and
these hold the median less often than promised. With one sample, how sure is it that the median
lies between it and itself?"""


def median_interval(samples, confidence=0.95):
    samples = _checked_samples(samples)
    _check_confidence(confidence)
    n, r, below = len(samples), 0, 1
    while below / 2**n <= (1 - confidence) / 2:
        r += 1
        below += math.comb(n, r)
    if r == 0:
        return float(np.min(samples)), float(np.max(samples))
    ordered = np.sort(samples)
    return float(ordered[r - 1]), float(ordered[n - r])
