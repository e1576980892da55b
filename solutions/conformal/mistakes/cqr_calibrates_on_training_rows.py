"""Takes the scores from the rows that the two quantiles were fitted to."""

TASK = "cqr"
HINT = """The scores that you calibrate on come from the rows the quantiles were fitted to. How many of
those does a well-trained band cover by construction, and does that say anything about new rows?"""


def cqr(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    low = fit(X[:n_train], y[:n_train], alpha / 2)
    high = fit(X[:n_train], y[:n_train], 1 - alpha / 2)
    scores = cqr_scores(y[:n_train], predict(low, X[:n_train]), predict(high, X[:n_train]))
    q = quantile(scores, alpha)
    return predict(low, X_test) - q, predict(high, X_test) + q
