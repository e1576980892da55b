"""Drops the input checks: alpha = 1.5 or a NaN score gives a number."""

TASK = "conformal_quantile"
HINT = """An alpha outside (0, 1) or a score that is NaN should be refused with a ValueError, and your code
answers with a number. The stub's checks did that: at which rank would a NaN stand?"""


def conformal_rank(n, alpha):
    return max(1, math.ceil((n + 1) * (1 - alpha) - RANK_TOL))


def conformal_quantile(scores, alpha):
    scores = np.asarray(scores, dtype=np.float64)
    n = scores.shape[-1]
    k = conformal_rank(n, alpha)
    if k > n:
        return np.full(scores.shape[:-1], np.inf)
    return np.sort(scores, axis=-1)[..., k - 1]
