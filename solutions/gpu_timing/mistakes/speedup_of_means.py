"""Takes the ratio of the means."""

TASK = "compare"
HINT = """Your interval is right, and your speed-up lies outside of it when one sample is an
outlier. Which statistic do the resamples take?"""


def speedup(times_a, times_b, u, *, confidence=0.95, resample=None, interval=None):
    times_a, times_b = _checked_samples(times_a, name="times_a"), _checked_samples(times_b, name="times_b")
    if times_a.shape != times_b.shape:
        raise ValueError(f"times_a and times_b must be paired, got shapes {times_a.shape} and {times_b.shape}")
    resample = bootstrap_medians if resample is None else resample
    interval = percentile_interval if interval is None else interval
    low, high = interval(resample(times_a, u) / resample(times_b, u), confidence)
    verdict = "faster" if low > 1 else "slower" if high < 1 else "undecided"
    return {
        "speedup": float(np.mean(times_a) / np.mean(times_b)),
        "low": low,
        "high": high,
        "verdict": verdict,
    }
