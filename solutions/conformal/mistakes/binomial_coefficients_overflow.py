"""Multiplies binomial coefficients as floats; too large for n in the thousands."""

TASK = "coverage"
HINT = """Your probabilities are right for small n, and the call fails for thousands. binom(4000, 2000) has
1203 digits, and a float stops near 10^308: which quantity of the same information stays small?"""


def coverage_cdf(c, n, k):
    c = _as_floats("c", c)
    _check_rank(n, k)
    if ((c < 0) | (c > 1)).any():
        raise ValueError(f"c must lie in [0, 1], got {c[(c < 0) | (c > 1)].flat[0]}")
    total = np.zeros(c.shape)
    for j in range(k, n + 1):
        total = total + float(math.comb(n, j)) * c**j * (1 - c) ** (n - j)
    return np.where(c == 1, 1.0, np.minimum(total, 1.0))
