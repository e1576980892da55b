"""Records its events on the default stream, whichever stream the kernels are on."""

TASK = "events"
HINT = """On the default stream your samples are right; on another they have nothing to do with the
kernel. An event passes when its own queue has got there: in which queue are yours, and in which is
the call?"""


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
        device.record(start)
        _call(device, kernels, args, stream)
        end = device.event()
        device.record(end)
        pairs.append((start, end))
    device.synchronize()
    return np.array([device.elapsed_ms(start, end) for start, end in pairs], dtype=np.float64)
