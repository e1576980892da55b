"""Compares the whole width of the interval with the target."""

TASK = "measure"
HINT = """Your numbers are right for more samples than are due: you go on when the error is already
small enough. The median is somewhere inside the interval; how far off can it be, if the interval
is as wide as that?"""


def measure(
    sample,
    *,
    warmup_ms=25.0,
    batch=20,
    target=0.01,
    confidence=0.95,
    max_samples=1000,
    interval=None,
):
    if batch < 1 or max_samples < 1:
        raise ValueError(f"batch and max_samples must be at least 1, got {batch} and {max_samples}")
    if warmup_ms < 0 or target < 0:
        raise ValueError(f"warmup_ms and target must not be negative, got {warmup_ms} and {target}")
    interval = median_interval if interval is None else interval
    sample(1)
    warmed, n_warmed = 0.0, 0
    while warmed < warmup_ms and n_warmed < max_samples:
        warmed += float(np.sum(sample(batch)))
        n_warmed += batch
    times = np.empty(0)
    while True:
        times = np.concatenate([times, sample(batch)])
        median = float(np.median(times))
        low, high = interval(times, confidence)
        if high - low <= target * median or len(times) >= max_samples:
            return {"median_ms": median, "low_ms": low, "high_ms": high, "n": len(times)}
