"""Steps from the target alpha each time, forgetting the level so far."""

TASK = "online"
HINT = """Your update does not depend on the level it starts from. After five misses in a row, should the
sixth set be as wide as after one?"""


def adapt_level(level, missed, *, alpha, gamma):
    alpha = float(_as_levels("alpha", alpha))
    if not gamma > 0:
        raise ValueError(f"gamma must be positive, got {gamma}")
    return alpha + gamma * (alpha - float(missed))
