"""Scores with y - y_hat, so that predicting too high never counts."""

TASK = "split_conformal"
HINT = """Your intervals are too narrow: some of the scores handed to `quantile` are negative. A model that
is always far too high would get small scores from you. How strange should a row look whose prediction is
too high?"""


def split_conformal(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    model = fit(X[:n_train], y[:n_train])
    y_cal, X_cal = y[n_train:], X[n_train:]
    scores = y_cal - predict(model, X_cal)
    q = quantile(scores, alpha)
    y_hat = predict(model, X_test)
    return y_hat - q, y_hat + q
