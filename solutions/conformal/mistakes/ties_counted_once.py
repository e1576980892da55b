"""Drops repeated scores before counting."""

TASK = "conformal_quantile"
HINT = """Your threshold is right while all scores differ and wrong when some are equal. If half of the
calibration scores are the same number, what share of new scores do you expect there: does one copy of it
stand for all?"""


def conformal_quantile(scores, alpha):
    scores = _as_floats("scores", scores)
    if scores.ndim == 0:
        raise ValueError("scores must have at least one dimension, got a number")
    alpha = float(_as_levels("alpha", alpha))
    n = scores.shape[-1]
    k = conformal_rank(n, alpha)
    if k > n:
        return np.full(scores.shape[:-1], np.inf)
    rows = [np.unique(row) for row in scores.reshape(-1, n)]
    picked = np.array([row[min(k, len(row)) - 1] for row in rows])
    return picked.reshape(scores.shape[:-1])[()]
