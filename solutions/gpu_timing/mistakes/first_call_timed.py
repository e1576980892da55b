"""Makes no call before the clock starts: compiling is timed too."""

TASK = "host"
HINT = """Both of your times are too large by tens of milliseconds, divided by the number of calls.
What happens at the very first launch of a kernel that never happens again?"""


def host_times(device, kernels, n_calls):
    if n_calls < 1:
        raise ValueError(f"n_calls must be at least 1, got {n_calls}")
    start = device.now_ms()
    for _ in range(n_calls):
        _call(device, kernels)
    issued = device.now_ms()
    device.synchronize()
    done = device.now_ms()
    return (issued - start) / n_calls, (done - start) / n_calls
