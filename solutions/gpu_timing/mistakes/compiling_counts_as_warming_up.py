"""Counts the first sample towards the warm-up time."""

TASK = "measure"
HINT = """Where warming up is short your result is right. Where the first call takes longer than
warmup_ms, nothing else is thrown away, and the samples kept are too long. While the host compiles,
what does the device's clock do?"""


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
    warmed, n_warmed = float(np.sum(sample(1))), 0
    while warmed < warmup_ms and n_warmed < max_samples:
        warmed += float(np.sum(sample(batch)))
        n_warmed += batch
    times = np.empty(0)
    while True:
        times = np.concatenate([times, sample(batch)])
        median = float(np.median(times))
        low, high = interval(times, confidence)
        if (high - low) / 2 <= target * median or len(times) >= max_samples:
            return {"median_ms": median, "low_ms": low, "high_ms": high, "n": len(times)}
