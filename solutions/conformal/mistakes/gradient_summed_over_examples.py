"""Sums over the examples instead of averaging."""

TASK = "quantile_regression"
HINT = """Your gradient is right for one example and too long for more, in proportion to their number. If
every example stood in the data twice, should a step become twice as long?"""


def quantile_gradient(X, y, w, b, tau):
    X, y = _as_regression(X, y, at_least=1)
    w, b, tau = _as_floats("w", w), float(b), float(_as_levels("tau", tau))
    if w.shape != X.shape[1:]:
        raise ValueError(f"w must have one entry per column of X, got w {w.shape} and X {X.shape}")
    slope = pinball_subgradient(y, X @ w + b, tau)
    return X.T @ slope, slope.sum()
