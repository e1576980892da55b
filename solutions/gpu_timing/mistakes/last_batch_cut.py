"""Cuts the last batch off at max_samples."""

TASK = "measure"
HINT = """Where max_samples is a multiple of the batch your result is right; elsewhere you report
fewer samples than are due. Is a sample that has been taken worse for having come last?"""


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
        times = np.concatenate([times, sample(batch)])[:max_samples]
        median = float(np.median(times))
        low, high = interval(times, confidence)
        if (high - low) / 2 <= target * median or len(times) >= max_samples:
            return {"median_ms": median, "low_ms": low, "high_ms": high, "n": len(times)}
