"""Does not count the starting point among the candidates."""

TASK = "quantile_regression"
HINT = """Your answer is right when some step improves on the start, and wrong when none does. How many
points does a path of n_steps steps have, and which of them have you compared?"""


def fit_quantile_regression(X, y, tau, *, lr=1.0, n_steps=300):
    X, y = _as_regression(X, y, at_least=1)
    tau = float(_as_levels("tau", tau))
    if not lr > 0:
        raise ValueError(f"lr must be positive, got {lr}")
    if n_steps < 0:
        raise ValueError(f"n_steps must not be negative, got {n_steps}")
    w, b = np.zeros(X.shape[1]), 0.0
    best_w, best_b = w, b
    best_loss = math.inf
    for t in range(1, n_steps + 1):
        grad_w, grad_b = quantile_gradient(X, y, w, b, tau)
        step = lr / math.sqrt(t)
        w, b = w - step * grad_w, b - step * grad_b
        loss = pinball_loss(y, X @ w + b, tau).mean()
        if loss < best_loss:
            best_w, best_b, best_loss = w, b, loss
    return best_w, best_b
