"""Reports the median of the hits, which is 0 or 1."""

TASK = "coverage"
HINT = """Your coverage is 1 whenever more than half of the rows are covered. To tell 90% from 95%, which
summary of the zeros and ones counts how many there are?"""


def interval_coverage(y, lower, upper):
    y, lower, upper = _as_floats("y", y), _as_floats("lower", lower), _as_floats("upper", upper)
    _same_shape("y", y, "lower", lower)
    _same_shape("y", y, "upper", upper)
    _not_empty("y", y)
    return np.median((lower <= y) & (y <= upper))
