"""Uses the first n_start scores for every round."""

TASK = "online"
HINT = """Your first threshold is right; later ones ignore the scores that have arrived since. What does
round 50 know that round 0 did not?"""


def adaptive_conformal(scores, alpha, gamma, *, n_start, quantile=conformal_quantile):
    scores = _as_floats("scores", scores)
    if scores.ndim != 1:
        raise ValueError(f"scores must have one dimension, got shape {scores.shape}")
    alpha = float(_as_levels("alpha", alpha))
    if not gamma > 0:
        raise ValueError(f"gamma must be positive, got {gamma}")
    if not 0 <= n_start <= len(scores):
        raise ValueError(f"n_start must be from 0 to {len(scores)}, the number of scores, got {n_start}")
    thresholds, missed, levels = [], [], [alpha]
    for t in range(n_start, len(scores)):
        level = levels[-1]
        if level <= 0:
            q = np.inf
        elif level >= 1:
            q = -np.inf
        else:
            q = float(quantile(scores[:n_start], level))
        thresholds.append(q)
        missed.append(bool(scores[t] > q))
        levels.append(adapt_level(level, missed[-1], alpha=alpha, gamma=gamma))
    return np.array(thresholds, dtype=float), np.array(missed, dtype=bool), np.array(levels)
