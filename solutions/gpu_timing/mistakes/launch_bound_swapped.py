"""Calls a call launch-bound when the device is slower."""

TASK = "launch"
HINT = """Your answers are right only where host and device are equally fast. If the host needs
longer than the device for a call, which of the two waits?"""


def limiter(issue_ms, busy_ms, roof):
    if roof not in ("memory", "compute"):
        raise ValueError(f'roof must be "memory" or "compute", got {roof!r}')
    return "launch" if issue_ms < busy_ms else roof
