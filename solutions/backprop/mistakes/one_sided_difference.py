"""Takes the difference between f(x + h) and f(x)."""

TASK = "gradcheck"
HINT = """Your differences are close for a tiny step; with a wide step they are off by an amount proportional
to h, where the handout's are off by h squared. Between which two points does your secant run, and is x in the
middle of them?"""


def numerical_gradient(f, x, *, h=1e-5):
    x = np.asarray(x, dtype=np.float64)
    grad = np.empty_like(x)
    for index in np.ndindex(x.shape):
        forward = x.copy()
        forward[index] += h
        grad[index] = (f(forward) - f(x)) / h
    return grad
