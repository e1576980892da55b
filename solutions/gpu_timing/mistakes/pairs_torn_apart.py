"""Resamples a and b independently of each other."""

TASK = "compare"
HINT = """Your speed-up is right and its interval too wide: both samples of a pair felt the same
drift, and your resamples mix a of one pair with b of another. Which rows of u does each of the two
see?"""


def speedup(times_a, times_b, u, *, confidence=0.95, resample=None, interval=None):
    times_a, times_b = _checked_samples(times_a, name="times_a"), _checked_samples(times_b, name="times_b")
    if times_a.shape != times_b.shape:
        raise ValueError(f"times_a and times_b must be paired, got shapes {times_a.shape} and {times_b.shape}")
    resample = bootstrap_medians if resample is None else resample
    interval = percentile_interval if interval is None else interval
    low, high = interval(resample(times_a, u) / resample(times_b, u[::-1]), confidence)
    verdict = "faster" if low > 1 else "slower" if high < 1 else "undecided"
    return {
        "speedup": float(np.median(times_a) / np.median(times_b)),
        "low": low,
        "high": high,
        "verdict": verdict,
    }
