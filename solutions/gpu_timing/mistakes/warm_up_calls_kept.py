"""Times the warm-up calls too and returns them with the samples."""

TASK = "events"
HINT = """You return more samples than were asked for, and with several warm-up calls the first
ones are among them. What is a warm-up call for, if its time is kept?"""


def sample_times(device, kernels, n_samples, *, inputs=(), n_warmup=1, cold=True, stream=None):
    if n_samples < 0 or n_warmup < 0:
        raise ValueError(f"n_samples and n_warmup must not be negative, got {n_samples} and {n_warmup}")
    args = [device.copy_to_device(data) for data in inputs]
    pairs = []
    for _ in range(n_warmup + n_samples):
        device.flush_cache(stream)
        if not cold:
            _call(device, kernels, args, stream)
        start = device.event()
        device.record(start, stream)
        _call(device, kernels, args, stream)
        end = device.event()
        device.record(end, stream)
        pairs.append((start, end))
    device.synchronize()
    return np.array([device.elapsed_ms(start, end) for start, end in pairs], dtype=np.float64)
