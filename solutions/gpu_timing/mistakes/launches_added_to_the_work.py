"""Calls a call launch-bound as soon as launching takes half as long as the work."""

TASK = "launch"
HINT = """Far apart your answers are right. Where launching takes somewhat less than the kernels,
you say that it limits them. If the next call is launched while this one runs, how much time may
that take?"""


def limiter(issue_ms, busy_ms, roof):
    if roof not in ("memory", "compute"):
        raise ValueError(f'roof must be "memory" or "compute", got {roof!r}')
    return "launch" if issue_ms > 0.5 * busy_ms else roof
