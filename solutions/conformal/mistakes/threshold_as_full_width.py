"""Splits the threshold over both sides, so the interval is half as long."""

TASK = "split_conformal"
HINT = """Your intervals are centred rightly and half as long as they should be. Take the calibration row
whose score is the threshold itself: would its own interval reach its y?"""


def split_conformal(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    model = fit(X[:n_train], y[:n_train])
    y_cal, X_cal = y[n_train:], X[n_train:]
    scores = np.abs(y_cal - predict(model, X_cal))
    q = quantile(scores, alpha)
    y_hat = predict(model, X_test)
    return y_hat - q / 2, y_hat + q / 2
