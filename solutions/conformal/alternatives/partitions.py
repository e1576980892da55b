"""A second right solution: partitions, ranks from a double argsort, matrix products and cumulative sums."""

import numpy as np


def _level(name, value):
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value}")
    return value


def pinball_loss(y, y_hat, tau):
    tau = np.asarray(tau)
    return np.maximum(tau * np.subtract(y, y_hat), (tau - 1) * np.subtract(y, y_hat))


def pinball_subgradient(y, y_hat, tau):
    return np.less(y, y_hat) - np.asarray(tau)


def quantile_gradient(X, y, w, b, tau, *, subgradient=pinball_subgradient):
    slope = subgradient(y, X @ w + b, tau)
    return np.einsum("nd,n->d", X, slope) / len(X), slope.sum() / len(X)


def fit_quantile_regression(
    X, y, tau, *, lr=1.0, n_steps=300, loss=pinball_loss, gradient=quantile_gradient
):
    weights, intercepts = np.zeros((n_steps + 1, X.shape[1])), np.zeros(n_steps + 1)
    for t in range(n_steps):
        grad_w, grad_b = gradient(X, y, weights[t], intercepts[t], tau)
        weights[t + 1] = weights[t] - lr / np.sqrt(t + 1) * grad_w
        intercepts[t + 1] = intercepts[t] - lr / np.sqrt(t + 1) * grad_b
    predictions = weights @ X.T + intercepts[:, None]  # (n_steps + 1, n)
    best = np.argmin([np.mean(loss(y, row, tau)) for row in predictions])
    return weights[best], intercepts[best]


def conformal_rank(n, alpha):
    # the number of scores that may lie above, from the other side
    return int(min(n + 1, max(1, n + 1 - np.floor((n + 1) * _level("alpha", alpha) + 1e-9))))


def conformal_quantile(scores, alpha, *, rank=conformal_rank):
    scores = np.asarray(scores, dtype=float)
    if np.isnan(scores).any():
        raise ValueError("scores must not hold NaN")
    k = rank(scores.shape[-1], alpha)
    padded = np.concatenate([scores, np.full((*scores.shape[:-1], 1), np.inf)], axis=-1)
    return np.partition(padded, k - 1, axis=-1).take(k - 1, axis=-1)


def split_conformal(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    train, rest = np.split(np.arange(len(y)), [n_train])
    model = fit(X[train], y[train])
    both = np.asarray(predict(model, np.concatenate([X[rest], X_test])))  # one call for all rows
    q = quantile(np.abs(both[: len(rest)] - y[rest]), alpha)
    return tuple(both[len(rest) :] + sign * q for sign in (-1, 1))


def cqr_scores(y, lower, upper):
    # distance from the band's middle, less half its width
    return np.abs(y - (lower + upper) / 2) - (upper - lower) / 2


def cqr(fit, predict, X, y, X_test, alpha, *, n_train, score=cqr_scores, quantile=conformal_quantile):
    rows = np.concatenate([X[n_train:], X_test])
    lower, upper = (
        np.asarray(predict(fit(X[:n_train], y[:n_train], tau), rows)) for tau in (alpha / 2, 1 - alpha / 2)
    )
    n_cal = len(y) - n_train
    q = quantile(score(y[n_train:], lower[:n_cal], upper[:n_cal]), alpha)
    return lower[n_cal:] - q, upper[n_cal:] + q


def lac_sets(probs, q):
    return np.asarray(probs) >= 1 - q


def _ranks(probs):
    """Ranks from 1, the lower label first among equals."""
    return np.argsort(np.argsort(-probs, axis=1, kind="stable"), axis=1, kind="stable") + 1


def aps_scores(probs, *, u=None, penalty=0.0, k_reg=1):
    probs = np.asarray(probs, dtype=float)
    ranks = _ranks(probs)
    ahead = ranks[:, None, :] < ranks[:, :, None]  # (n, K, K): label j stands before label i
    before = np.einsum("nij,nj->ni", ahead, probs)
    share = np.ones(len(probs)) if u is None else u
    return before + share[:, None] * probs + penalty * (ranks - k_reg).clip(min=0)


def aps_sets(probs, q, *, u=None, penalty=0.0, k_reg=1, score=aps_scores):
    probs = np.asarray(probs, dtype=float)
    scores = score(probs, u=u, penalty=penalty, k_reg=k_reg)
    if u is not None:
        return scores <= q
    # as many labels as there are scores below q, the one that reaches it, and those level with q
    size = (scores < q).sum(axis=1) + 1
    return (_ranks(probs) <= size[:, None]) | (scores == q)


def group_quantiles(scores, groups, alpha, *, n_groups, quantile=conformal_quantile):
    order = np.argsort(groups, kind="stable")
    parts = np.split(scores[order], np.searchsorted(groups[order], np.arange(1, n_groups)))
    return np.array([quantile(part, alpha) for part in parts], dtype=float)


def interval_coverage(y, lower, upper):
    return 1 - np.count_nonzero((y < lower) | (y > upper)) / len(y)


def set_coverage(sets, labels):
    return np.take_along_axis(sets, labels[:, None], axis=1).mean()


def coverage_moments(n, k):
    mean = k / (n + 1)
    second = k * (k + 1) / ((n + 1) * (n + 2))
    return mean, np.sqrt(max(0.0, second - mean**2))


def coverage_cdf(c, n, k):
    c = np.asarray(c, dtype=float)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    j = np.arange(k, n + 1).reshape(-1, *[1] * c.ndim)  # the terms along the first axis
    with np.errstate(divide="ignore", invalid="ignore"):
        log_binom = log_factorial[n] - log_factorial[j] - log_factorial[n - j]
        total = np.exp(log_binom + j * np.log(c) + (n - j) * np.log1p(-c)).sum(axis=0)
    total[c == 0], total[c == 1] = 0.0, 1.0
    return total


def adapt_level(level, missed, *, alpha, gamma):
    return level + gamma * alpha - gamma * missed


def adaptive_conformal(scores, alpha, gamma, *, n_start, quantile=conformal_quantile, adapt=adapt_level):
    level, rounds = alpha, []
    for t, score in enumerate(scores[n_start:], start=n_start):
        q = quantile(scores[:t], level) if 0 < level < 1 else np.inf if level <= 0 else -np.inf
        rounds.append((q, score > q, level))
        level = adapt(level, score > q, alpha=alpha, gamma=gamma)
    columns = list(zip(*rounds)) or [(), (), ()]
    return np.array(columns[0], float), np.array(columns[1], bool), np.array([*columns[2], level])
