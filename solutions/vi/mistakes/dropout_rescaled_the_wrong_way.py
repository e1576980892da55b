"""Multiplies what is kept by 1 - p."""

TASK = "dropout"
HINT = """The right entries are zero, and the others are made smaller. That factor belongs to
networks that drop nothing at prediction. If some of the terms of a sum are missing, what has to
happen to the others?"""


def dropout(x, u, *, p):
    _check_dropped(p)
    return x * (u >= p) * (1 - p)
