"""Uses the largest threshold for every row."""

TASK = "groups"
HINT = """Your intervals are right for rows of the group with the largest threshold and too wide for all
others. What did calibrating each group by itself buy, if everyone gets the widest?"""


def group_intervals(y_hat, groups, thresholds):
    y_hat, thresholds = _as_floats("y_hat", y_hat), _as_floats("thresholds", thresholds)
    groups = _as_groups(groups, len(thresholds))
    _same_shape("y_hat", y_hat, "groups", groups)
    return y_hat - thresholds.max(), y_hat + thresholds.max()
