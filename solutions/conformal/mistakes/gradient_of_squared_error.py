"""Uses the slope of the squared error, so the level plays no part."""

TASK = "quantile_regression"
HINT = """Your gradient grows with the size of the errors and is the same for every tau. Which statistic of
the data does a model reach that pays for an error in proportion to its size, and which when each example
only says on which side it lies?"""


def quantile_gradient(X, y, w, b, tau):
    X, y = _as_regression(X, y, at_least=1)
    w, b, tau = _as_floats("w", w), float(b), float(_as_levels("tau", tau))
    if w.shape != X.shape[1:]:
        raise ValueError(f"w must have one entry per column of X, got w {w.shape} and X {X.shape}")
    slope = X @ w + b - y
    return X.T @ slope / len(y), slope.mean()
