"""Drops without enlarging what is kept."""

TASK = "dropout"
HINT = """The right entries are zero, and the others are as they were, so that the mean over u
is too small. By how much?"""


def dropout(x, u, *, p):
    _check_dropped(p)
    return x * (u >= p)
