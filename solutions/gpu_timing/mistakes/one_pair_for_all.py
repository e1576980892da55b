"""Puts one pair of events around all calls and divides."""

TASK = "events"
HINT = """Your samples are all alike, and too long by what stands between the calls. With noise
there is one number where there should be many. What can a mean over everything no longer tell you?"""


def sample_times(device, kernels, n_samples, *, inputs=(), n_warmup=1, cold=True, stream=None):
    if n_samples < 0 or n_warmup < 0:
        raise ValueError(f"n_samples and n_warmup must not be negative, got {n_samples} and {n_warmup}")
    args = [device.copy_to_device(data) for data in inputs]
    for _ in range(n_warmup):
        _call(device, kernels, args, stream)
    pairs = []
    for _ in range(n_samples):
        device.flush_cache(stream)
        if not cold:
            _call(device, kernels, args, stream)
        if not pairs:
            start = device.event()
            device.record(start, stream)
        _call(device, kernels, args, stream)
        end = device.event()
        device.record(end, stream)
        pairs.append((start, end))
    device.synchronize()
    return np.array([device.elapsed_ms(pairs[0][0], pairs[-1][1]) / n_samples for _ in pairs], dtype=np.float64)
