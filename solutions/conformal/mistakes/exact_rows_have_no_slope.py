"""Gives an exactly predicted example the slope 0."""

TASK = "quantile_regression"
HINT = """Your gradient is right unless some example is predicted exactly; those examples then count for
nothing. Zero is a valid subgradient, but is it the one this assignment settled on for y = y_hat?"""


def quantile_gradient(X, y, w, b, tau):
    X, y = _as_regression(X, y, at_least=1)
    w, b, tau = _as_floats("w", w), float(b), float(_as_levels("tau", tau))
    if w.shape != X.shape[1:]:
        raise ValueError(f"w must have one entry per column of X, got w {w.shape} and X {X.shape}")
    error = y - (X @ w + b)
    slope = np.where(error > 0, -tau, np.where(error < 0, 1 - tau, 0.0))
    return X.T @ slope / len(y), slope.mean()
