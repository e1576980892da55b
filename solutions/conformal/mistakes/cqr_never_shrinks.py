"""Clips the threshold at zero, so a band can only grow."""

TASK = "cqr"
HINT = """Your intervals are right when the fitted band is too narrow, and left alone when it is too wide. A
threshold below zero says that nearly every y had room to spare: what would you like to happen to the band?"""


def cqr(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    low = fit(X[:n_train], y[:n_train], alpha / 2)
    high = fit(X[:n_train], y[:n_train], 1 - alpha / 2)
    scores = cqr_scores(y[n_train:], predict(low, X[n_train:]), predict(high, X[n_train:]))
    q = quantile(scores, alpha)
    q = max(q, 0.0)
    return predict(low, X_test) - q, predict(high, X_test) + q
