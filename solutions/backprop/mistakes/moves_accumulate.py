"""Never moves a coordinate back before moving the next."""

TASK = "gradcheck"
HINT = """The first coordinate is right, and the later ones drift away with h. When you come to the second
coordinate, where does the first one stand: at x, or where your last evaluation left it?"""


def numerical_gradient(f, x, *, h=1e-5):
    if not h > 0:
        raise ValueError(f"h must be positive, got {h}")
    point = np.array(x, dtype=np.float64)
    grad = np.empty_like(point)
    for index in np.ndindex(point.shape):
        point[index] += h
        above = f(point.copy())
        point[index] -= 2 * h
        grad[index] = (above - f(point.copy())) / (2 * h)
    return grad
