"""Uses the rank of the level alpha instead of 1 - alpha."""

TASK = "conformal_quantile"
HINT = """Your rank grows with alpha: the more misses are allowed, the larger your threshold. Which share of
new scores should be at or below it, the misses or the rest?"""


def conformal_rank(n, alpha):
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    alpha = float(_as_levels("alpha", alpha))
    return max(1, math.ceil((n + 1) * alpha - RANK_TOL))
