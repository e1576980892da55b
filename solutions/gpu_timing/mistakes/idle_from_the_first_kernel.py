"""Counts the idle time from the start of the first kernel on."""

TASK = "launch"
HINT = """Your total is right, and your idle time too short by the first launch. From which moment
on does the total count?"""


def queue_times(launch_ms, kernel_ms):
    launch_ms = _checked_samples(launch_ms, name="launch_ms")
    kernel_ms = _checked_samples(kernel_ms, name="kernel_ms")
    if launch_ms.shape != kernel_ms.shape:
        raise ValueError(
            f"launch_ms and kernel_ms must have one shape, got {launch_ms.shape} and {kernel_ms.shape}"
        )
    launched = end = 0.0
    for launch, kernel in zip(launch_ms, kernel_ms, strict=True):
        launched += launch
        end = max(launched, end) + kernel
    return float(end), float(end - np.sum(kernel_ms) - launch_ms[0])
