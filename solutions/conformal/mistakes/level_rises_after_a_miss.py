"""Updates with the wrong sign: a miss makes the next set smaller."""

TASK = "online"
HINT = """Your level rises after a miss and falls after a hit. alpha_t is the share of misses you allow:
after a miss, should the next set be more cautious or less, and which level gives a larger threshold?"""


def adapt_level(level, missed, *, alpha, gamma):
    alpha = float(_as_levels("alpha", alpha))
    if not gamma > 0:
        raise ValueError(f"gamma must be positive, got {gamma}")
    return level + gamma * (float(missed) - alpha)
