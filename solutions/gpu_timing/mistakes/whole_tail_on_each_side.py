"""Leaves 1 - confidence out on each side."""

TASK = "summary"
HINT = """Your interval lies inside the right one: it is one of lower confidence. How much may be
missed in all, and on how many sides can the median be missed?"""


def median_interval(samples, confidence=0.95):
    samples = _checked_samples(samples)
    _check_confidence(confidence)
    n, r, below = len(samples), 0, 1
    while below / 2**n <= 1 - confidence:
        r += 1
        below += math.comb(n, r)
    if r == 0:
        return -math.inf, math.inf
    ordered = np.sort(samples)
    return float(ordered[r - 1]), float(ordered[n - r])
