"""Takes the longer of the two sums."""

TASK = "launch"
HINT = """Your total is a little too short: by a launch where the kernels are long, by a kernel
where they are short. When can the first kernel start, and when does the last one end?"""


def queue_times(launch_ms, kernel_ms):
    launch_ms = _checked_samples(launch_ms, name="launch_ms")
    kernel_ms = _checked_samples(kernel_ms, name="kernel_ms")
    if launch_ms.shape != kernel_ms.shape:
        raise ValueError(
            f"launch_ms and kernel_ms must have one shape, got {launch_ms.shape} and {kernel_ms.shape}"
        )
    end = max(np.sum(launch_ms), np.sum(kernel_ms))
    return float(end), float(end - np.sum(kernel_ms))
