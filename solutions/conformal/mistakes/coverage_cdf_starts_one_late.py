"""Sums from k + 1: more than k scores below c."""

TASK = "coverage"
HINT = """Your probabilities are too small, by one term of the sum. The k-th smallest of n uniforms is at
most c: at least how many of them must then be?"""


def coverage_cdf(c, n, k):
    c = _as_floats("c", c)
    _check_rank(n, k)
    if ((c < 0) | (c > 1)).any():
        raise ValueError(f"c must lie in [0, 1], got {c[(c < 0) | (c > 1)].flat[0]}")
    log_factorial = np.array([math.lgamma(i + 1) for i in range(n + 1)])
    j = np.arange(k + 1, n + 1)
    log_binom = log_factorial[n] - log_factorial[j] - log_factorial[n - j]
    inside = (c > 0) & (c < 1)
    x = np.where(inside, c, 0.5)[..., None]
    total = np.exp(log_binom + j * np.log(x) + (n - j) * np.log1p(-x)).sum(axis=-1)
    return np.where(inside, np.minimum(total, 1.0), np.where(c == 1, 1.0, 0.0))
