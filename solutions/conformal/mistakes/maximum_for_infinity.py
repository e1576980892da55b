"""Falls back on the largest score when there are too few."""

TASK = "conformal_quantile"
HINT = """Your threshold is right when there are enough scores, and the largest score when there are too
few. How often is a new exchangeable score larger than all n of the others, and is that at most alpha when n
is small?"""


def conformal_quantile(scores, alpha):
    scores = _as_floats("scores", scores)
    if scores.ndim == 0:
        raise ValueError("scores must have at least one dimension, got a number")
    alpha = float(_as_levels("alpha", alpha))
    n = scores.shape[-1]
    k = min(conformal_rank(n, alpha), n)
    return np.sort(scores, axis=-1)[..., k - 1]
