"""Lets each launch wait for the kernel before it."""

TASK = "launch"
HINT = """Your total is the sum of everything, and your idle time that of all launches. While a
kernel runs, what does the host do meanwhile?"""


def queue_times(launch_ms, kernel_ms):
    launch_ms = _checked_samples(launch_ms, name="launch_ms")
    kernel_ms = _checked_samples(kernel_ms, name="kernel_ms")
    if launch_ms.shape != kernel_ms.shape:
        raise ValueError(
            f"launch_ms and kernel_ms must have one shape, got {launch_ms.shape} and {kernel_ms.shape}"
        )
    end = 0.0
    for launch, kernel in zip(launch_ms, kernel_ms, strict=True):
        end = end + launch + kernel
    return float(end), float(end - np.sum(kernel_ms))
