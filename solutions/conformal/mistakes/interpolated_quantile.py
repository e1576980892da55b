"""Takes NumPy's default quantile at 1 - alpha, which interpolates and knows no new score."""

TASK = "conformal_quantile"
HINT = """Your threshold mostly lies between two of the scores, and it is finite however few there are. The
guarantee comes from counting at which place among the scores a new one falls: what does a value halfway
between two places count? And what should three scores say about a 99% interval?"""


def conformal_quantile(scores, alpha):
    scores = _as_floats("scores", scores)
    if scores.ndim == 0:
        raise ValueError("scores must have at least one dimension, got a number")
    alpha = float(_as_levels("alpha", alpha))
    n = scores.shape[-1]
    if n == 0:
        return np.full(scores.shape[:-1], np.inf)
    return np.quantile(scores, 1 - alpha, axis=-1)
