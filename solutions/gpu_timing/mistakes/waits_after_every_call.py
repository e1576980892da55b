"""Synchronises inside the loop, so that launches and kernels never overlap."""

TASK = "host"
HINT = """Your issue_ms grows with the kernels, and your total_ms is larger than it should be: the
launch of each call is added to its kernels. While the device works on one call, what could the
host already do?"""


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
    device.synchronize()
    done = device.now_ms()
    return (issued - start) / n_calls, (done - start) / n_calls
