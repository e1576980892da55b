"""Leaves out values on an end of their interval."""

TASK = "coverage"
HINT = """Your coverage is right unless a value lies exactly on an end of its interval. The threshold is the
score of some calibration row, and a new row with the same score must count as covered: are the ends part of
the interval?"""


def interval_coverage(y, lower, upper):
    y, lower, upper = _as_floats("y", y), _as_floats("lower", lower), _as_floats("upper", upper)
    _same_shape("y", y, "lower", lower)
    _same_shape("y", y, "upper", upper)
    _not_empty("y", y)
    return np.mean((lower < y) & (y < upper))
