"""Indexes the sorted scores with the rank, one too far."""

TASK = "conformal_quantile"
HINT = """Your threshold is the score after the one that is due, and it is infinite for one n too many. The
rank counts from the smallest score as the first: where does a NumPy array start to count?"""


def conformal_quantile(scores, alpha):
    scores = _as_floats("scores", scores)
    if scores.ndim == 0:
        raise ValueError("scores must have at least one dimension, got a number")
    alpha = float(_as_levels("alpha", alpha))
    n = scores.shape[-1]
    k = conformal_rank(n, alpha)
    if k >= n:
        return np.full(scores.shape[:-1], np.inf)
    return np.sort(scores, axis=-1)[..., k]
