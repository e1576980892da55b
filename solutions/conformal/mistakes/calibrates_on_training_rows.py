"""Takes the scores from the rows that the model was fitted to."""

TASK = "split_conformal"
HINT = """The scores that you calibrate on come from rows the model has already seen; your intervals are too
narrow, most of all when n_train is small. Is an error on a training row exchangeable with an error on a new
row?"""


def split_conformal(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    model = fit(X[:n_train], y[:n_train])
    y_cal, X_cal = y[:n_train], X[:n_train]
    scores = np.abs(y_cal - predict(model, X_cal))
    q = quantile(scores, alpha)
    y_hat = predict(model, X_test)
    return y_hat - q, y_hat + q
