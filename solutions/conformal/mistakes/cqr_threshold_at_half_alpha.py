"""Calibrates at alpha / 2: the two sides are halved once more."""

TASK = "cqr"
HINT = """Your band is fitted at the right levels, but the threshold is larger than it should be. One score
per row covers both edges at once: for what share of the rows may it exceed the threshold?"""


def cqr(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    low = fit(X[:n_train], y[:n_train], alpha / 2)
    high = fit(X[:n_train], y[:n_train], 1 - alpha / 2)
    scores = cqr_scores(y[n_train:], predict(low, X[n_train:]), predict(high, X[n_train:]))
    q = quantile(scores, alpha / 2)
    return predict(low, X_test) - q, predict(high, X_test) + q
