"""Reads the clock when everything is launched, not when it is done."""

TASK = "host"
HINT = """Your issue_ms is right, and your total_ms is the same number: it does not change when the
kernels get ten times as long. A launch returns at once. What has to happen before the clock can
tell that the device is done?"""


def host_times(device, kernels, n_calls):
    if n_calls < 1:
        raise ValueError(f"n_calls must be at least 1, got {n_calls}")
    _call(device, kernels)
    device.synchronize()
    start = device.now_ms()
    for _ in range(n_calls):
        _call(device, kernels)
    issued = device.now_ms()
    done = device.now_ms()
    return (issued - start) / n_calls, (done - start) / n_calls
