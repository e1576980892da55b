"""Moves the level after a miss only."""

TASK = "online"
HINT = """Your level is right after a miss and stays where it is after a hit. If misses only ever lower it,
what brings it back, and where would the share of misses end?"""


def adapt_level(level, missed, *, alpha, gamma):
    alpha = float(_as_levels("alpha", alpha))
    if not gamma > 0:
        raise ValueError(f"gamma must be positive, got {gamma}")
    return level - gamma * (1 - alpha) if missed else level
