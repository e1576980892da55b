"""Synchronises after the first event, so that the stream is idle when the call is launched."""

TASK = "events"
HINT = """Your samples grow with the time that a launch takes. When the first event has passed and
nothing is queued behind it, what is the device doing until the call arrives?"""


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
        start = device.event()
        device.record(start, stream)
        device.synchronize()
        _call(device, kernels, args, stream)
        end = device.event()
        device.record(end, stream)
        pairs.append((start, end))
    device.synchronize()
    return np.array([device.elapsed_ms(start, end) for start, end in pairs], dtype=np.float64)
