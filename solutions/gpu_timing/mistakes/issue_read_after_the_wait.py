"""Reads the clock for issue_ms only when the device is done."""

TASK = "host"
HINT = """Your total_ms is right and your issue_ms grows with the kernels. At which moment has the
host done its own part, and at which do you read the clock for it?"""


def host_times(device, kernels, n_calls):
    if n_calls < 1:
        raise ValueError(f"n_calls must be at least 1, got {n_calls}")
    _call(device, kernels)
    device.synchronize()
    start = device.now_ms()
    for _ in range(n_calls):
        _call(device, kernels)
    device.synchronize()
    issued = device.now_ms()
    done = device.now_ms()
    return (issued - start) / n_calls, (done - start) / n_calls
