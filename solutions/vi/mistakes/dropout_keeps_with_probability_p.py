"""Takes p for the probability of being kept."""

TASK = "dropout"
HINT = """With p = 0.2 you drop most of the entries: those that should stay. What is p the
probability of?"""


def dropout(x, u, *, p):
    _check_dropped(p)
    return x * (u < p) / p if p else x * 0.0 * u
