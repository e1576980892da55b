"""Divides alpha by the number of groups."""

TASK = "groups"
HINT = """Your thresholds are right for one group, and too large for several, the more so the more groups. A
row belongs to one group only: in how many groups can it be missed at once, and what does the promise for
its group say about the others?"""


def group_quantiles(scores, groups, alpha, *, n_groups, quantile=conformal_quantile):
    scores = _as_floats("scores", scores)
    groups = _as_groups(groups, n_groups)
    _same_shape("scores", scores, "groups", groups)
    alpha = float(_as_levels("alpha", alpha))
    thresholds = np.full(n_groups, np.inf)
    for g in np.unique(groups):
        thresholds[g] = quantile(scores[groups == g], alpha / n_groups)
    return thresholds
