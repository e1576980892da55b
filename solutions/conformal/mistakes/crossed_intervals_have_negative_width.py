"""Lets an empty interval shorten the mean width."""

TASK = "coverage"
HINT = """Your mean width is right unless some interval is crossed, with its upper end below its lower. Such
an interval holds nothing: how long is it?"""


def mean_width(lower, upper):
    lower, upper = _as_floats("lower", lower), _as_floats("upper", upper)
    _same_shape("lower", lower, "upper", upper)
    _not_empty("lower", lower)
    return np.mean(upper - lower)
