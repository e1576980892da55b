"""Takes the absolute value, so deep inside counts like far outside."""

TASK = "cqr"
HINT = """Your scores are right outside the band, and positive inside it, where they should say how much
room there is. If a band is too wide for every calibration row, what would have to be the threshold's sign
for it to shrink?"""


def cqr_scores(y, lower, upper):
    y, lower, upper = _as_floats("y", y), _as_floats("lower", lower), _as_floats("upper", upper)
    _same_shape("y", y, "lower", lower)
    _same_shape("y", y, "upper", upper)
    return np.abs(np.maximum(lower - y, y - upper))
