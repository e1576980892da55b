"""Keeps x as integers, so that adding h changes nothing."""

TASK = "gradcheck"
HINT = """Floating-point inputs are right; for an x of integers you see no change in f, or a wrong one. What
does an integer array hold after h = 0.25 has been added to one of its entries?"""


def numerical_gradient(f, x, *, h=1e-5):
    x = np.asarray(x)
    grad = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        forward, back = x.copy(), x.copy()
        forward[index] = forward[index] + h
        back[index] = back[index] - h
        grad[index] = (f(forward) - f(back)) / (2 * h)
    return grad
