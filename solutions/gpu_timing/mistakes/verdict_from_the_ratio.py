"""Says faster or slower without looking at the interval."""

TASK = "compare"
HINT = """Your numbers are right, and your verdict is never undecided. If the interval reaches from
0.9 to 1.3, which answers has the measurement ruled out?"""


def speedup(times_a, times_b, u, *, confidence=0.95, resample=None, interval=None):
    times_a, times_b = _checked_samples(times_a, name="times_a"), _checked_samples(times_b, name="times_b")
    if times_a.shape != times_b.shape:
        raise ValueError(f"times_a and times_b must be paired, got shapes {times_a.shape} and {times_b.shape}")
    resample = bootstrap_medians if resample is None else resample
    interval = percentile_interval if interval is None else interval
    low, high = interval(resample(times_a, u) / resample(times_b, u), confidence)
    verdict = "faster" if np.median(times_a) > np.median(times_b) else "slower"
    return {
        "speedup": float(np.median(times_a) / np.median(times_b)),
        "low": low,
        "high": high,
        "verdict": verdict,
    }
