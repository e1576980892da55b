"""Corrects the level to k / n but still interpolates between scores."""

TASK = "conformal_quantile"
HINT = """You have corrected the level for the new score, but the threshold lies between two scores where it
should be one of them. `np.quantile` places the level k/n at position (n - 1) k/n unless told otherwise:
which score is at rank k?"""


def conformal_quantile(scores, alpha):
    scores = _as_floats("scores", scores)
    if scores.ndim == 0:
        raise ValueError("scores must have at least one dimension, got a number")
    alpha = float(_as_levels("alpha", alpha))
    n = scores.shape[-1]
    k = conformal_rank(n, alpha)
    if k > n:
        return np.full(scores.shape[:-1], np.inf)
    return np.quantile(scores, k / n, axis=-1)
