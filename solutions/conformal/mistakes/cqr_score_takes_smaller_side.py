"""Takes the smaller of the two signed distances."""

TASK = "cqr"
HINT = """Your scores are negative everywhere, outside the band as well (unless it is crossed). Of lower - y
and y - upper, what signs do the two have for a y above the band, and which of them says that y is outside?"""


def cqr_scores(y, lower, upper):
    y, lower, upper = _as_floats("y", y), _as_floats("lower", lower), _as_floats("upper", upper)
    _same_shape("y", y, "lower", lower)
    _same_shape("y", y, "upper", upper)
    return np.minimum(lower - y, y - upper)
