"""Waits before and after the call and takes the host's time in between."""

TASK = "events"
HINT = """Your samples are close, and too long by the same amount for every kernel: it grows with
the time that a launch takes. The device was idle when your clock started. Who knows when the
kernel itself began?"""


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
        device.synchronize()
        start = device.now_ms()
        _call(device, kernels, args, stream)
        device.synchronize()
        end = device.now_ms()
        pairs.append((start, end))
    device.synchronize()
    return np.array([end - start for start, end in pairs], dtype=np.float64)
