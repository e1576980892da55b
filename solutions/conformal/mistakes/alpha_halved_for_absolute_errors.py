"""Halves alpha although the absolute error already counts both sides."""

TASK = "split_conformal"
HINT = """Your intervals are too wide, as if half the misses were allowed; with few calibration rows they
are unbounded where they need not be. The score is the distance in either direction: how many tails does its
distribution have that matter?"""


def split_conformal(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    model = fit(X[:n_train], y[:n_train])
    y_cal, X_cal = y[n_train:], X[n_train:]
    scores = np.abs(y_cal - predict(model, X_cal))
    q = quantile(scores, alpha / 2)
    y_hat = predict(model, X_test)
    return y_hat - q, y_hat + q
