"""Returns where the path ends instead of the best point on it."""

TASK = "quantile_regression"
HINT = """You return the point at which the path ends. That is right as long as every step goes downhill,
and wrong on long steps. The loss has kinks, and the gradient does not shrink on the way to the minimum: is
a later point always a better one?"""


def fit_quantile_regression(X, y, tau, *, lr=1.0, n_steps=300):
    X, y = _as_regression(X, y, at_least=1)
    tau = float(_as_levels("tau", tau))
    if not lr > 0:
        raise ValueError(f"lr must be positive, got {lr}")
    if n_steps < 0:
        raise ValueError(f"n_steps must not be negative, got {n_steps}")
    w, b = np.zeros(X.shape[1]), 0.0
    for t in range(1, n_steps + 1):
        grad_w, grad_b = quantile_gradient(X, y, w, b, tau)
        w, b = w - lr / math.sqrt(t) * grad_w, b - lr / math.sqrt(t) * grad_b
    return w, b
