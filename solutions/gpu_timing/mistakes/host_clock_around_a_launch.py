"""Reads the host's clock before and after an asynchronous call."""

TASK = "events"
HINT = """Your samples don't change when the kernel does, and grow with the time that a launch
takes. What is the host waiting for between your two readings of its clock?"""


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
        start = device.now_ms()
        _call(device, kernels, args, stream)
        end = device.now_ms()
        pairs.append((start, end))
    device.synchronize()
    return np.array([end - start for start, end in pairs], dtype=np.float64)
