"""Rounds the rank down instead of up."""

TASK = "conformal_quantile"
HINT = """Your rank is right when (n + 1)(1 - alpha) is a whole number and one too small otherwise. With n =
10 and alpha = 0.1 the product is 9.9: how often does a new score fall at or below the 9th smallest of ten,
and is that enough?"""


def conformal_rank(n, alpha):
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    alpha = float(_as_levels("alpha", alpha))
    return max(1, math.floor((n + 1) * (1 - alpha) + RANK_TOL))
