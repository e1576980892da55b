"""Drops an entry with u = p."""

TASK = "dropout"
HINT = """You are right unless u equals p exactly; with p = 0 and u = 0 you would drop
something. What does the docstring say of that border?"""


def dropout(x, u, *, p):
    _check_dropped(p)
    return x * (u > p) / (1 - p)
