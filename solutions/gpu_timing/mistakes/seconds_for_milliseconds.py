"""Takes the host's clock for one that counts seconds."""

TASK = "host"
HINT = """Both of your times are off by a factor of a thousand. In which unit does this device's
clock count, and in which unit is the result due?"""


def host_times(device, kernels, n_calls):
    if n_calls < 1:
        raise ValueError(f"n_calls must be at least 1, got {n_calls}")
    _call(device, kernels)
    device.synchronize()
    start = device.now_ms()
    for _ in range(n_calls):
        _call(device, kernels)
    issued = device.now_ms()
    device.synchronize()
    done = device.now_ms()
    return 1000 * (issued - start) / n_calls, 1000 * (done - start) / n_calls
