"""Fits the quantiles alpha and 1 - alpha."""

TASK = "cqr"
HINT = """The two quantiles that you fit leave out twice as much as alpha between them. If the band is to
miss alpha of the values, and as many above as below, how much is each edge allowed to leave out?"""


def cqr(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    low = fit(X[:n_train], y[:n_train], alpha)
    high = fit(X[:n_train], y[:n_train], 1 - alpha)
    scores = cqr_scores(y[n_train:], predict(low, X[n_train:]), predict(high, X[n_train:]))
    q = quantile(scores, alpha)
    return predict(low, X_test) - q, predict(high, X_test) + q
