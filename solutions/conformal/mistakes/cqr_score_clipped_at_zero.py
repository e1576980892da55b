"""Scores 0 anywhere inside the band."""

TASK = "cqr"
HINT = """Your scores are right outside the band and 0 everywhere inside. Two bands, one just wide enough
and one far too wide, get the same scores from you: how could calibration tell them apart?"""


def cqr_scores(y, lower, upper):
    y, lower, upper = _as_floats("y", y), _as_floats("lower", lower), _as_floats("upper", upper)
    _same_shape("y", y, "lower", lower)
    _same_shape("y", y, "upper", upper)
    return np.maximum(0.0, np.maximum(lower - y, y - upper))
