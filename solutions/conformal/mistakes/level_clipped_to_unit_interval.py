"""Clips the level to [0, 1] after each update."""

TASK = "online"
HINT = """Your level is right until it would leave [0, 1], where you hold it. Add up all updates from the
first round to the last: they tell how many misses there were, exactly. Does the sum still tell it if some
updates were cut short?"""


def adapt_level(level, missed, *, alpha, gamma):
    alpha = float(_as_levels("alpha", alpha))
    if not gamma > 0:
        raise ValueError(f"gamma must be positive, got {gamma}")
    return min(1.0, max(0.0, level + gamma * (alpha - float(missed))))
