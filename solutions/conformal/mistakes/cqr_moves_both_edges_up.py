"""Adds the threshold to both edges: the band shifts instead of growing."""

TASK = "cqr"
HINT = """Your upper edge is right and your lower edge moves the wrong way: the width never changes. When
too many values fall outside, in which direction should each of the two edges go?"""


def cqr(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    low = fit(X[:n_train], y[:n_train], alpha / 2)
    high = fit(X[:n_train], y[:n_train], 1 - alpha / 2)
    scores = cqr_scores(y[n_train:], predict(low, X[n_train:]), predict(high, X[n_train:]))
    q = quantile(scores, alpha)
    return predict(low, X_test) + q, predict(high, X_test) + q
