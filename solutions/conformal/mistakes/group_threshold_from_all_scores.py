"""Gives every group the threshold of all scores together."""

TASK = "groups"
HINT = """All your thresholds are the same number: right for one group only. Suppose the errors in one small
group are ten times as large as elsewhere: how often would the common threshold cover in that group?"""


def group_quantiles(scores, groups, alpha, *, n_groups, quantile=conformal_quantile):
    scores = _as_floats("scores", scores)
    groups = _as_groups(groups, n_groups)
    _same_shape("scores", scores, "groups", groups)
    alpha = float(_as_levels("alpha", alpha))
    thresholds = np.full(n_groups, np.inf)
    for g in np.unique(groups):
        thresholds[g] = quantile(scores, alpha)
    return thresholds
