"""Returns a threshold for each group that occurs, closing the gaps."""

TASK = "groups"
HINT = """Your answer is right when every group has scores, and too short when one has none. Thresholds are
looked up by group number: whose threshold would the groups after the missing one find?"""


def group_quantiles(scores, groups, alpha, *, n_groups, quantile=conformal_quantile):
    scores = _as_floats("scores", scores)
    groups = _as_groups(groups, n_groups)
    _same_shape("scores", scores, "groups", groups)
    alpha = float(_as_levels("alpha", alpha))
    return np.array([quantile(scores[groups == g], alpha) for g in np.unique(groups)], dtype=float)
