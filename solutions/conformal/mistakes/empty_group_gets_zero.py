"""Gives a group without scores the threshold 0."""

TASK = "groups"
HINT = """Your thresholds are right for every group that has scores; one that has none gets a finite
threshold. What do you know about the errors in a group you have never seen, and which interval says so?"""


def group_quantiles(scores, groups, alpha, *, n_groups, quantile=conformal_quantile):
    scores = _as_floats("scores", scores)
    groups = _as_groups(groups, n_groups)
    _same_shape("scores", scores, "groups", groups)
    alpha = float(_as_levels("alpha", alpha))
    thresholds = np.full(n_groups, 0.0)
    for g in np.unique(groups):
        thresholds[g] = quantile(scores[groups == g], alpha)
    return thresholds
