"""Divides by the number of launches, not of calls."""

TASK = "host"
HINT = """With one kernel both of your times are right; with two they are half of what is due. A
call launches every kernel of the list: how many calls did you make?"""


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
    return (issued - start) / (n_calls * len(kernels)), (done - start) / (n_calls * len(kernels))
