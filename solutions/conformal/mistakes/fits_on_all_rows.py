"""Fits the model to all rows, calibration rows included."""

TASK = "split_conformal"
HINT = """Your model is fitted to more rows than the first n_train, so it has seen the rows it is calibrated
on. What would a model that remembers every row it was shown score on the calibration rows, and what on new
ones?"""


def split_conformal(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    model = fit(X, y)
    y_cal, X_cal = y[n_train:], X[n_train:]
    scores = np.abs(y_cal - predict(model, X_cal))
    q = quantile(scores, alpha)
    y_hat = predict(model, X_test)
    return y_hat - q, y_hat + q
