"""Rounds the floating-point product up, noise included."""

TASK = "conformal_quantile"
HINT = """Your rank is right for most pairs, and one too large at a few where (n + 1)(1 - alpha) is a whole
number on paper. What does Python print for 10 * (1 - 0.7) and for 100 * (1 - 0.45), and what does the
constant at the top of the file say about it?"""


def conformal_rank(n, alpha):
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    alpha = float(_as_levels("alpha", alpha))
    return max(1, math.ceil((n + 1) * (1 - alpha)))
