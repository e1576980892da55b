"""A second right solution: plain Python, an example at a time."""

import math
from fractions import Fraction

import numpy as np


def _level(name, value):
    if not 0 < value < 1:
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {value}")
    return float(value)


def _each(function, *arrays):
    """Apply a function of numbers to every entry of the broadcast arrays."""
    arrays = np.broadcast_arrays(*(np.asarray(array, dtype=float) for array in arrays))
    out = np.empty(arrays[0].shape)
    for index in np.ndindex(out.shape):
        out[index] = function(*(float(array[index]) for array in arrays))
    return out


def pinball_loss(y, y_hat, tau):
    return _each(lambda y, p, t: max(t * (y - p), (1 - t) * (p - y)), y, y_hat, tau)


def pinball_subgradient(y, y_hat, tau):
    return _each(lambda y, p, t: 1 - t if y < p else -t, y, y_hat, tau)


def quantile_gradient(X, y, w, b, tau, *, subgradient=pinball_subgradient):
    X = np.asarray(X, dtype=float)
    grad_w, grad_b = [0.0] * X.shape[1], 0.0
    for row, truth in zip(X, y):
        # the reference's product, so that an exactly predicted row is one here too
        slope = float(subgradient(truth, row @ w + b, tau))
        for column, value in enumerate(row):
            grad_w[column] += slope * value / len(X)
        grad_b += slope / len(X)
    return np.array(grad_w), grad_b


def fit_quantile_regression(
    X, y, tau, *, lr=1.0, n_steps=300, loss=pinball_loss, gradient=quantile_gradient
):
    path = [(np.zeros(np.shape(X)[1]), 0.0)]
    for t in range(1, n_steps + 1):
        w, b = path[-1]
        grad_w, grad_b = gradient(X, y, w, b, tau)
        path.append((w - lr * t**-0.5 * grad_w, b - lr * t**-0.5 * grad_b))
    return min(path, key=lambda model: loss(y, X @ model[0] + model[1], tau).mean())


def conformal_rank(n, alpha):
    # the decimal that was written, exactly; a level with more digits stays as it is
    exact = Fraction(_level("alpha", alpha)).limit_denominator(10**9)
    return max(1, math.ceil((n + 1) * (1 - exact)))


def conformal_quantile(scores, alpha, *, rank=conformal_rank):
    scores = np.asarray(scores, dtype=float)
    if np.isnan(scores).any():
        raise ValueError("scores must not hold NaN")
    k = rank(scores.shape[-1], alpha)
    out = np.empty(scores.shape[:-1])
    for index in np.ndindex(out.shape):
        ordered = [*sorted(scores[index].tolist()), math.inf]
        out[index] = ordered[k - 1]
    return out


def split_conformal(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    model = fit(X[:n_train], y[:n_train])
    y_test = predict(model, X_test)  # before calibration: the order is free
    predictions = predict(model, X[n_train:])
    q = quantile([abs(a - b) for a, b in zip(y[n_train:], predictions)], alpha)
    return np.array([p - q for p in y_test]), np.array([p + q for p in y_test])


def cqr_scores(y, lower, upper):
    return np.array([max(a - v, v - b) for v, a, b in zip(y, lower, upper)])


def cqr(fit, predict, X, y, X_test, alpha, *, n_train, score=cqr_scores, quantile=conformal_quantile):
    edges, test_edges = [], []
    for tau in (1 - alpha / 2, alpha / 2):
        model = fit(X[:n_train], y[:n_train], tau=tau)
        edges.append(predict(model, X[n_train:]))
        test_edges.append(predict(model, X_test))
    q = quantile(score(y[n_train:], edges[1], edges[0]), alpha)
    return np.asarray(test_edges[1]) - q, np.asarray(test_edges[0]) + q


def _ranking(row):
    """Labels from the most probable, the lower label first among equals."""
    return sorted(range(len(row)), key=lambda label: (-row[label], label))


def lac_sets(probs, q):
    return _each(lambda p: 1 - p <= q, probs).astype(bool)


def aps_scores(probs, *, u=None, penalty=0.0, k_reg=1):
    scores = np.empty(np.shape(probs))
    for i, row in enumerate(np.asarray(probs, dtype=float)):
        before = 0.0
        for rank, label in enumerate(_ranking(row), start=1):
            share = 1.0 if u is None else u[i]
            scores[i, label] = before + share * row[label] + penalty * max(0, rank - k_reg)
            before += row[label]
    return scores


def aps_sets(probs, q, *, u=None, penalty=0.0, k_reg=1, score=aps_scores):
    scores = score(probs, u=u, penalty=penalty, k_reg=k_reg)
    if u is not None:
        return scores <= q
    sets = np.zeros(np.shape(probs), dtype=bool)
    for i, row in enumerate(np.asarray(probs, dtype=float)):
        for label in _ranking(row):
            sets[i, label] = True
            if scores[i, label] >= q:
                break
    return sets | (scores <= q)


def group_quantiles(scores, groups, alpha, *, n_groups, quantile=conformal_quantile):
    thresholds = []
    for g in range(n_groups):
        mine = [score for score, group in zip(scores, groups) if group == g]
        thresholds.append(float(quantile(mine, alpha)))  # of no score: +inf
    return np.array(thresholds)


def interval_coverage(y, lower, upper):
    return sum(a <= v <= b for v, a, b in zip(y, lower, upper)) / len(y)


def set_coverage(sets, labels):
    return sum(bool(row[label]) for row, label in zip(sets, labels)) / len(labels)


def coverage_moments(n, k):
    a, b = k, n + 1 - k
    return a / (a + b), math.sqrt(a * b / ((a + b) ** 2 * (a + b + 1)))


def coverage_cdf(c, n, k):
    def one(c):
        if c == 0 or c == 1:
            return c
        # each term from the one before: binom(n, j + 1) = binom(n, j) (n - j) / (j + 1), in logarithms
        log_term, total = n * math.log1p(-c), 0.0
        for j in range(n + 1):
            if j >= k:
                total += math.exp(log_term)
            if j < n:
                log_term += math.log((n - j) / (j + 1)) + math.log(c) - math.log1p(-c)
        return min(total, 1.0)

    return _each(one, c)


def adapt_level(level, missed, *, alpha, gamma):
    return level - gamma * (1 - alpha) if missed else level + gamma * alpha


def adaptive_conformal(scores, alpha, gamma, *, n_start, quantile=conformal_quantile, adapt=adapt_level):
    T = len(scores) - n_start
    thresholds, missed, levels = np.empty(T), np.empty(T, dtype=bool), np.empty(T + 1)
    levels[0] = alpha
    for t in range(T):
        if 0 < levels[t] < 1:
            thresholds[t] = quantile(scores[: n_start + t], float(levels[t]))
        else:
            thresholds[t] = math.inf if levels[t] <= 0 else -math.inf
        missed[t] = not scores[n_start + t] <= thresholds[t]
        levels[t + 1] = adapt(levels[t], missed[t], alpha=alpha, gamma=gamma)
    return thresholds, missed, levels
