"""A second right solution: sums written out, one example, weight or direction at a time, and other formulas where there are any."""

import itertools
import math

import numpy as np


def sigmoid(z):
    return 1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z))


def penalized_loss(w, b, X, y, lam, *, kind="squared"):
    total = 0.0
    for row, target in zip(X, y):
        z = float(row @ w) + b
        if kind == "squared":
            total += 0.5 * (z - target) ** 2
        else:
            total += max(z, 0.0) - target * z + math.log1p(math.exp(-abs(z)))
    return total + 0.5 * lam * float(sum(value**2 for value in w))


def penalized_gradient(w, b, X, y, lam, *, kind="squared"):
    slopes, slope = lam * np.array(w, dtype=float), 0.0
    for row, target in zip(X, y):
        z = float(row @ w) + b
        each = (z if kind == "squared" else sigmoid(z)) - target
        slopes, slope = slopes + each * row, slope + float(each)
    return slopes, slope


def convert_penalty(lam, n, source, target, *, norm):
    # penalty and squares, each as a multiple of lam |w|_1 or lam |w|^2, and of |r|^2
    ways = {
        1: {"sum": (1.0, 0.5), "mean": (1.0, 1 / n), "sklearn": (1.0, 1 / (2 * n))},
        2: {"sum": (0.5, 0.5), "mean": (1.0, 1 / n), "sklearn": (1.0, 1.0), "torch": (0.5, 1 / n)},
    }[norm]
    (p, q), (p2, q2) = ways[source], ways[target]
    return lam * p / q * q2 / p2


def batch_variance(gradients, size):
    """E |mean of a batch|^2 - |mean|^2, by how often a pair of examples is in a batch together."""
    n = len(gradients)
    products = gradients @ gradients.T
    alone = np.trace(products)
    pairs = products.sum() - alone
    together = size * (size - 1) / (n * (n - 1))
    mean = gradients.sum(axis=0) / n
    return float((size / n * alone + together * pairs) / size**2 - mean @ mean)


def averaged_descent(gradient, w, *, lr, n_average, n_steps):
    path = np.zeros((n_steps + 1, len(w)))
    path[0] = w
    found = np.zeros((n_steps, len(w)))
    for step in range(n_steps):
        found[step] = gradient(path[step])
        first = max(0, step + 1 - n_average)
        path[step + 1] = path[step] - lr * found[first : step + 1].sum(axis=0) / (step + 1 - first)
    return path


def ridge(X, y, lam):
    """The dual form, for data that are centered."""
    n = len(y)
    centering = np.eye(n) - 1 / n
    Xc = centering @ X
    a = np.linalg.inv(Xc @ Xc.T + lam * np.eye(n)) @ (centering @ y)
    w = Xc.T @ a
    return w, float((y - X @ w).sum() / n)


def dual_ridge(gram, y, lam):
    values, vectors = np.linalg.eigh(gram)
    return vectors @ ((vectors.T @ y) / (values + lam))


def shrinkage(s, lam):
    lams = np.broadcast_to(lam, np.shape(s))
    return np.array([0.0 if value == 0 else 1 / (1 + each / value**2) for value, each in zip(s, lams)])


def sgd_step(w, gradient, velocity, *, lr, momentum=0.0, decay=0.0, coupled=True):
    velocity = momentum * velocity + gradient + (decay * w if coupled else 0.0)
    return (1 - (0.0 if coupled else lr * decay)) * w - lr * velocity, velocity


def adam_step(w, gradient, state, *, lr, decay=0.0, coupled=True, beta1=0.9, beta2=0.999, eps=1e-8):
    m, v, t = np.array(state[0]), np.array(state[1]), state[2] + 1
    w = np.array(w, dtype=float)
    for i in range(len(w)):
        g = gradient[i] + (decay * w[i] if coupled else 0.0)
        m[i] += (1 - beta1) * (g - m[i])
        v[i] += (1 - beta2) * (g**2 - v[i])
        kept = 1.0 if coupled else 1 - lr * decay
        w[i] = kept * w[i] - lr * m[i] / (1 - beta1**t) / (math.sqrt(v[i] / (1 - beta2**t)) + eps)
    return w, (m, v, t)


def soft_threshold(z, t):
    z = np.asarray(z, dtype=float)
    return z - np.clip(z, -t, t)


def proximal_step(w, X, y, lam, *, step, alpha=1.0, soft_threshold=soft_threshold):
    gradient = sum((float(row @ w) - target) * row for row, target in zip(X, y))
    shrink = 1 + step * lam * (1 - alpha)
    return soft_threshold((w - step * gradient) / shrink, step * lam * alpha / shrink)


def lambda_max(X, y, *, alpha=1.0):
    return max(abs(float(column @ y)) for column in X.T) / alpha


def coordinate_sweep(w, residual, X, lam, *, alpha=1.0, soft_threshold=soft_threshold):
    y = residual + X @ w
    w = np.array(w, dtype=float)
    for j in range(len(w)):
        others = y - np.delete(X, j, axis=1) @ np.delete(w, j)
        curvature = float(X[:, j] @ X[:, j]) + lam * (1 - alpha)
        w[j] = soft_threshold(X[:, j] @ others / curvature, lam * alpha / curvature) if X[:, j].any() else 0.0
    return w, y - X @ w


def optimality_violation(w, X, y, lam, *, alpha=1.0):
    worst = 0.0
    for j, value in enumerate(w):
        smooth = float(X[:, j] @ (X @ w - y)) + lam * (1 - alpha) * value
        left = smooth + lam * alpha * (1 if value > 0 else -1)
        right = smooth + lam * alpha * (-1 if value < 0 else 1)
        worst = max(worst, left, -right)
    return float(worst)


def lasso_path(X, y, lams, *, alpha=1.0, tol=1e-9, max_sweeps=1000, coordinate_sweep=coordinate_sweep):
    solved = {}
    w, residual = np.zeros(X.shape[1]), np.asarray(y, dtype=float)
    for lam in sorted({float(lam) for lam in lams}, reverse=True):
        for _ in range(max_sweeps):
            new, residual = coordinate_sweep(w, residual, X, lam, alpha=alpha)
            change, w = np.abs(new - w), new
            if not (change > tol).any():
                break
        solved[lam] = w
    return np.array([solved[float(lam)] for lam in lams])


def bias_variance(predictions, truth):
    bias = variance = 0.0
    for column, value in zip(predictions.T, truth):
        mean = sum(column) / len(column)
        bias += (mean - value) ** 2 / len(truth)
        # half the mean squared difference of two training sets
        variance += sum((a - b) ** 2 for a, b in itertools.product(column, column)) / len(column) ** 2 / 2 / len(truth)
    return float(bias), float(variance)


def ridge_bias_variance(s, w, lam, noise_variance):
    bias = sum((lam * value * weight / (value**2 + lam)) ** 2 for value, weight in zip(s, w))
    return float(bias), float(noise_variance * sum((value**2 / (value**2 + lam)) ** 2 for value in s))


def cross_validate(fit_predict, X, y, held_out):
    errors = np.full(len(y), np.nan)
    for fold in held_out:
        inside = np.ones(len(y), dtype=bool)
        inside[fold] = False
        train, test = np.array(X[inside]), np.array(X[fold])
        for j in range(X.shape[1]):
            column = X[inside, j]
            mean = sum(column) / len(column)
            scale = 1.0 if column.max() == column.min() else math.sqrt(sum((column - mean) ** 2) / len(column))
            train[:, j], test[:, j] = (column - mean) / scale, (X[fold, j] - mean) / scale
        errors[fold] = (fit_predict(train, y[inside], test) - y[fold]) ** 2
    return errors


def leave_one_out(X, y, lam):
    """The hat matrix of ridge with a column of ones that is not penalized."""
    with_ones = np.column_stack([np.ones(len(y)), X])
    penalty = lam * np.eye(X.shape[1] + 1)
    penalty[0, 0] = 0.0
    hat = with_ones @ np.linalg.inv(with_ones.T @ with_ones + penalty) @ with_ones.T
    return np.array([(y[i] - hat[i] @ y) / (1 - hat[i, i]) for i in range(len(y))])


def one_standard_error(errors, lams):
    means = [sum(row) / len(row) for row in errors]
    best = means.index(min(means))
    n = len(errors[best])
    limit = means[best] + math.sqrt(sum((errors[best] - means[best]) ** 2) / (n - 1) / n)
    return max(float(lam) for lam, mean in zip(lams, means) if mean <= limit)


def descent_filter(s, lr, n_steps):
    """The geometric series of what each step adds."""
    s2 = np.asarray(s, dtype=float) ** 2
    return lr * s2 * sum(((1 - lr * s2) ** step for step in range(n_steps)), np.zeros_like(s2))


def equivalent_penalty(s, lr, n_steps):
    return np.array([value**2 * (1 / (1 - (1 - lr * value**2) ** n_steps) - 1) for value in s])


def examples_needed(gap, n_functions, delta):
    n = max(1, int((math.log(2 / delta) + math.log(n_functions)) / (2 * gap**2)) - 2)
    while 2 * n_functions * math.exp(-2 * n * gap**2) > delta:
        n += 1
    return n
