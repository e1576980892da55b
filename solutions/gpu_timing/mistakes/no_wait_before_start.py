"""Starts the clock while the warm-up call is still running."""

TASK = "host"
HINT = """Your issue_ms is right, and your total_ms is too large by a part of one call, the more
the fewer calls you time. What is still in the queue at the moment in which your clock starts?"""


def host_times(device, kernels, n_calls):
    if n_calls < 1:
        raise ValueError(f"n_calls must be at least 1, got {n_calls}")
    _call(device, kernels)
    start = device.now_ms()
    for _ in range(n_calls):
        _call(device, kernels)
    issued = device.now_ms()
    device.synchronize()
    done = device.now_ms()
    return (issued - start) / n_calls, (done - start) / n_calls
