"""Pools the leading dimensions into one calibration."""

TASK = "conformal_quantile"
HINT = """Your answer is right for one set of scores; with leading dimensions a single number comes back. A
thousand simulated calibrations are handed over as a thousand rows: what would their pooled threshold say
about how much thresholds vary?"""


def conformal_quantile(scores, alpha):
    scores = _as_floats("scores", scores)
    if scores.ndim == 0:
        raise ValueError("scores must have at least one dimension, got a number")
    alpha = float(_as_levels("alpha", alpha))
    n = scores.shape[-1]
    scores = scores.ravel()
    k = conformal_rank(scores.size, alpha)
    return np.float64(np.inf) if k > scores.size else np.sort(scores)[k - 1]
