"""Divides a difference across 2h by h."""

TASK = "gradcheck"
HINT = """Every entry of your numerical gradient is the same multiple of the right one. How far apart are the
two points at which you ask for f, and what do you divide their difference by?"""


def numerical_gradient(f, x, *, h=1e-5):
    x = np.asarray(x, dtype=np.float64)
    grad = np.empty_like(x)
    for index in np.ndindex(x.shape):
        forward, back = x.copy(), x.copy()
        forward[index] += h
        back[index] -= h
        grad[index] = (f(forward) - f(back)) / h
    return grad
