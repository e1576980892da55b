"""Keeps the samples that were to warm the device up."""

TASK = "measure"
HINT = """You report more samples than were taken after warming up, and the median leans towards
the slow ones at the start. What should become of samples taken while the clock is still rising?"""


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
    warmed, n_warmed, kept = 0.0, 0, []
    while warmed < warmup_ms and n_warmed < max_samples:
        kept.append(sample(batch))
        warmed += float(np.sum(kept[-1]))
        n_warmed += batch
    times = np.concatenate([np.empty(0), *kept])
    while True:
        times = np.concatenate([times, sample(batch)])
        median = float(np.median(times))
        low, high = interval(times, confidence)
        if (high - low) / 2 <= target * median or len(times) >= max_samples:
            return {"median_ms": median, "low_ms": low, "high_ms": high, "n": len(times)}
