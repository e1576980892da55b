"""Copies the inputs to the device between the two events."""

TASK = "events"
HINT = """Without inputs your samples are right; with inputs they hold the time of copying them.
The question was how long the kernel takes: where do its arguments have to be by then?"""


def sample_times(device, kernels, n_samples, *, inputs=(), n_warmup=1, cold=True, stream=None):
    if n_samples < 0 or n_warmup < 0:
        raise ValueError(f"n_samples and n_warmup must not be negative, got {n_samples} and {n_warmup}")
    for _ in range(n_warmup):
        args = [device.copy_to_device(data) for data in inputs]
        _call(device, kernels, args, stream)
    pairs = []
    for _ in range(n_samples):
        device.flush_cache(stream)
        if not cold:
            args = [device.copy_to_device(data) for data in inputs]
            _call(device, kernels, args, stream)
        start = device.event()
        device.record(start, stream)
        args = [device.copy_to_device(data) for data in inputs]
        _call(device, kernels, args, stream)
        end = device.event()
        device.record(end, stream)
        pairs.append((start, end))
    device.synchronize()
    return np.array([device.elapsed_ms(start, end) for start, end in pairs], dtype=np.float64)
