"""Leaves 1 - confidence out on each side of the resampled medians."""

TASK = "summary"
HINT = """Your interval is too narrow on both sides. If a tenth of all values is to stay outside,
how many are there below it and how many above it?"""


def percentile_interval(values, confidence=0.95):
    values = _checked_samples(values, name="values")
    _check_confidence(confidence)
    low, high = np.quantile(values, [1 - confidence, confidence])
    return float(low), float(high)
