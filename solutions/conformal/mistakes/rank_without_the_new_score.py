"""Ranks among the n calibration scores only: ceil(n (1 - alpha))."""

TASK = "conformal_quantile"
HINT = """Your rank is the usual sample quantile's: right for some n, one too small for others, and never
infinite. The promise is about a score that is not there yet. When it arrives, among how many scores in all
is it equally likely to take each place?"""


def conformal_rank(n, alpha):
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    alpha = float(_as_levels("alpha", alpha))
    return max(1, math.ceil(n * (1 - alpha) - RANK_TOL))
