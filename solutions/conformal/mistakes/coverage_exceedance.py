"""Returns the probability of a coverage above c."""

TASK = "coverage"
HINT = """Your probabilities fall as c grows: they and the right ones add up to 1. Is the question how
likely a coverage of at most c is, or of more?"""


def coverage_cdf(c, n, k):
    c = _as_floats("c", c)
    _check_rank(n, k)
    if ((c < 0) | (c > 1)).any():
        raise ValueError(f"c must lie in [0, 1], got {c[(c < 0) | (c > 1)].flat[0]}")
    log_factorial = np.array([math.lgamma(i + 1) for i in range(n + 1)])
    j = np.arange(k, n + 1)
    log_binom = log_factorial[n] - log_factorial[j] - log_factorial[n - j]
    inside = (c > 0) & (c < 1)
    x = np.where(inside, c, 0.5)[..., None]
    total = np.exp(log_binom + j * np.log(x) + (n - j) * np.log1p(-x)).sum(axis=-1)
    return np.where(inside, 1 - np.minimum(total, 1.0), np.where(c == 1, 0.0, 1.0))
