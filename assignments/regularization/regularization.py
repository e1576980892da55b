"""Regularization: why a fit generalizes, and how to make it.

Holds penalized losses and their scales; batches; ridge and its dual; weight decay; soft thresholds and the lasso; bias and
variance; cross-validation; early stopping as a penalty. Leaves out: dropout, data augmentation, and trained networks.

Arrays are float64. Nothing handed in is changed.
"""

import math

import numpy as np

# ---------------------------------------------------------------------------------------------------------
# Given


def sigmoid(z):
    """Return 1 / (1 + exp(-z)), for any z without overflow. Given."""
    return 0.5 * (1 + np.tanh(0.5 * np.asarray(z, dtype=float)))


def minimum_norm_risk(n, d, *, noise_variance, norm2=1.0):
    """Return the expected risk of the shortest w among those that fit n examples best. Given.

    Features are standard normal, y = X w_true + noise, and there is no intercept. The risk of w is the expected squared
    difference of its prediction from that of w_true, on a new example.

    Args:
        n: Number of examples.
        d: Number of features.
        noise_variance: Of the noise.
        norm2: Squared length of w_true.

    Returns:
        float, infinite if n is within 1 of d.

    Source:
        Hastie, Montanari, Rosset and Tibshirani 2022.
    """
    if abs(n - d) <= 1:
        return math.inf
    if n > d:
        return noise_variance * d / (n - d - 1)
    return norm2 * (1 - n / d) + noise_variance * n / (d - n - 1)


def three_features():
    """Return 30 examples of three features: shapes (30, 3) and (30,). Given."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3))
    return X, X @ [2.0, -1.0, 0.5] + rng.normal(size=30)


def few_examples():
    """Return 20 examples of 50 features, five of which matter: shapes (20, 50) and (20,), all means 0. Given."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 50))
    y = X[:, :5] @ [3.0, -2.0, 2.0, 1.0, 1.0] + rng.normal(size=20)
    return X - X.mean(axis=0), y - y.mean()


def sum_of_two():
    """Return 100 examples in which y is x1 + x2 exactly, and x3 is a blurred copy of this sum. Given.

    Returns:
        (X, y): shapes (100, 3) and (100,). The columns of X are standardized.
    """
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 3))
    X[:, 2] = 0.7 * (X[:, 0] + X[:, 1]) + 0.3 * rng.normal(size=100)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X, X[:, 0] + X[:, 1]


def pure_noise():
    """Return 50 examples of 1000 features that say nothing about y: shapes (50, 1000) and (50,). Given."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(50, 1000)), rng.normal(size=50)


def best_features(X, y):
    """Return the numbers of the 10 columns of X that correlate best with y, to either side. Given."""
    correlations = ((X - X.mean(axis=0)) / X.std(axis=0)).T @ (y - y.mean())
    return np.argsort(-np.abs(correlations))[:10]


def folds(order, k):
    """Cut an order of the examples into k consecutive runs, the first n mod k of them one longer. Given.

    Args:
        order: The numbers of the examples, shape (n,), ints.
        k: Number of folds, 2 .. n.

    Returns:
        A list of k int arrays.
    """
    if not 2 <= k <= len(order):
        raise ValueError(f"k must be in 2 .. {len(order)}, got {k}")
    small, more = divmod(len(order), k)
    starts = [i * small + min(i, more) for i in range(k + 1)]
    return [np.asarray(order)[first:end] for first, end in zip(starts, starts[1:])]


# ---------------------------------------------------------------------------------------------------------
# Task 1: the objective


def penalized_loss(w, b, X, y, lam, *, kind="squared"):
    """Return the loss of all examples together, plus the penalty.

    The prediction is z = X w + b. The loss of an example is (z - y)^2 / 2, or, if kind is "logistic", -log of the probability
    of its y, where y = 1 has the probability sigmoid(z). The losses are summed. The penalty is lam / 2 times the squared
    length of w.

    Args:
        w: Weights, shape (d,).
        b: Intercept, a number. It is not penalized.
        X: Features, shape (n, d).
        y: Targets, shape (n,); 0 or 1 if kind is "logistic".
        lam: Strength of the penalty.
        kind: "squared" or "logistic".

    Returns:
        float, finite for any finite z. For z = 800 and y = 0 an example costs 800.

    Raises:
        ValueError: If kind is neither.
    """
    if kind not in ("squared", "logistic"):
        raise ValueError(f'kind must be "squared" or "logistic", got {kind!r}')
    # YOUR CODE HERE
    raise NotImplementedError("task objective is not written yet")


def penalized_gradient(w, b, X, y, lam, *, kind="squared"):
    """Return the slopes of `penalized_loss` in w and in b, by your formula.

    Args:
        w, b, X, y, lam, kind: As for `penalized_loss`.

    Returns:
        (slopes in w, shape (d,); slope in b, float).

    Raises:
        ValueError: If kind is neither.
    """
    if kind not in ("squared", "logistic"):
        raise ValueError(f'kind must be "squared" or "logistic", got {kind!r}')
    # YOUR CODE HERE
    raise NotImplementedError("task objective is not written yet")


def convert_penalty(lam, n, source, target, *, norm):
    """Return the penalty that gives the same best weights when the objective is written in another way.

    Here r = y - X w - b holds the n residuals, |r|^2 is the sum of their squares, and |w|_1 the sum of all |w_j|:

        name       norm=1                                norm=2
        "sum"      |r|^2 / 2 + lam |w|_1                 |r|^2 / 2 + lam |w|^2 / 2
        "mean"     |r|^2 / n + lam |w|_1                 |r|^2 / n + lam |w|^2
        "sklearn"  |r|^2 / (2 n) + lam |w|_1  (Lasso)    |r|^2 + lam |w|^2  (Ridge)
        "torch"    -                                     |r|^2 / n, and the optimizer adds lam w to the gradient

    Args:
        lam: Penalty in the way of writing called `source`.
        n: Number of examples.
        source, target: Names from the table.
        norm: 1 or 2.

    Returns:
        float: the penalty in the way of writing called `target`.

    Raises:
        ValueError: If norm is not 1 or 2, or the table has no such entry.
    """
    if norm not in (1, 2):
        raise ValueError(f"norm must be 1 or 2, got {norm!r}")
    names = ("sum", "mean", "sklearn") if norm == 1 else ("sum", "mean", "sklearn", "torch")
    for name in (source, target):
        if name not in names:
            raise ValueError(f"with norm={norm}, source and target must be among {names}, got {name!r}")
    # for each way of writing: what is lam in terms of the "sum" way's?
    # YOUR CODE HERE
    raise NotImplementedError("task objective is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 2: batches


def batch_variance(gradients, size):
    """Return how far the mean gradient of a random batch is from that of all examples: the expected squared distance.

    All sets of `size` different examples are equally likely.

    Args:
        gradients: One for each example, shape (n, p).
        size: Examples in a batch, 1 .. n.

    Returns:
        float.

    Raises:
        ValueError: If there are fewer than two examples, or size is not in 1 .. n.

    Example:
        Gradients (0,), (2,) and (4,): 8/3 for batches of one, and 2/3 for batches of two.
    """
    if len(gradients) < 2 or not 1 <= size <= len(gradients):
        raise ValueError(f"need two gradients or more and size in 1 .. n, got {len(gradients)} gradients and size {size}")
    # YOUR CODE HERE
    raise NotImplementedError("task batches is not written yet")


def averaged_descent(gradient, w, *, lr, n_average, n_steps):
    """Take steps along the mean of the latest gradients, and return where they lead.

    Each step takes the gradient at the present w, then moves w by -lr times the mean of the last `n_average` gradients,
    this one included. In the first steps there are fewer: then the mean is over those that there are.

    Args:
        gradient: A function of w. It is called once in each step. It may return w itself, so never change w in place.
        w: The start, shape (p,).
        lr: Learning rate.
        n_average: At least 1; 1 is plain gradient descent.
        n_steps: Number of steps.

    Returns:
        Shape (n_steps + 1, p), the start included.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task batches is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 3: ridge


def ridge(X, y, lam):
    """Return the weights and the intercept that minimize |y - X w - b|^2 / 2 + lam |w|^2 / 2.

    The intercept is not penalized. There may be more features than examples.

    Args:
        X: Shape (n, d).
        y: Shape (n,).
        lam: Above 0.

    Returns:
        (w, b): shape (d,), and a float.

    Raises:
        ValueError: If lam is not above 0.

    Example:
        X = [[1], [3]], y = [0, 4] and lam = 2: w = 1, b = 0.
    """
    if not lam > 0:
        raise ValueError(f"lam must be above 0, got {lam}")
    # YOUR CODE HERE
    raise NotImplementedError("task ridge is not written yet")


def dual_ridge(gram, y, lam):
    """Return a, with which w = X^T a minimizes |y - X w|^2 / 2 + lam |w|^2 / 2, from inner products alone.

    There is no intercept, and nothing is centered.

    Args:
        gram: The inner products of all pairs of examples, X X^T, shape (n, n). It need not be invertible.
        y: Shape (n,).
        lam: Above 0.

    Returns:
        Shape (n,). If several a give the best w, any of them is right.

    Raises:
        ValueError: If lam is not above 0.
    """
    if not lam > 0:
        raise ValueError(f"lam must be above 0, got {lam}")
    # YOUR CODE HERE
    raise NotImplementedError("task ridge is not written yet")


def shrinkage(s, lam):
    """Return which share of the least-squares weights ridge keeps, direction by direction, by your formula.

    Args:
        s: Singular values of X, shape (k,), at least 0.
        lam: Penalty of `ridge`, at least 0: a number, or shape (k,), one for each direction. Here there is no intercept.

    Returns:
        Shape (k,). The share is 0 where s is 0, whatever lam is.

    Raises:
        ValueError: If lam is below 0.

    Example:
        Singular values 2 and 1 with lam = 1: 0.8 and 0.5.
    """
    if np.any(np.asarray(lam) < 0):
        raise ValueError(f"lam must be at least 0, got {lam}")
    # YOUR CODE HERE
    raise NotImplementedError("task ridge is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 4: weight decay


def sgd_step(w, gradient, velocity, *, lr, momentum=0.0, decay=0.0, coupled=True):
    """Return the weights and the velocity after one step of gradient descent with momentum.

    The new velocity is momentum times the old one, plus the gradient. The weights move by -lr times the new velocity.

    Args:
        w, gradient, velocity: Shape (p,). `gradient` is that of the loss without a penalty.
        lr: Learning rate.
        momentum: 0 for none.
        decay: The penalty lam. If `coupled`, the penalty is lam / 2 times the squared length of w, and its gradient is
            added to that of the loss before all else. Otherwise (*decoupled*), the gradient stays as it is, and the step
            moves the weights by a further -lr lam w, with w as it was before the step.
        coupled: Which of the two.

    Returns:
        (weights, velocity), new arrays.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task weight_decay is not written yet")


def adam_step(w, gradient, state, *, lr, decay=0.0, coupled=True, beta1=0.9, beta2=0.999, eps=1e-8):
    """Return the weights and the state after one step of Adam, or of AdamW if decay is not coupled.

    In step t = 1, 2, ..., with g the gradient:

        m = beta1 m + (1 - beta1) g          v = beta2 v + (1 - beta2) g^2
        w = w - lr m' / (sqrt(v') + eps)     m' = m / (1 - beta1^t), v' = v / (1 - beta2^t)

    Args:
        w, gradient: Shape (p,). `gradient` is that of the loss without a penalty.
        state: (m, v, t) after the step before. At the start: zeros, zeros and 0.
        lr: Learning rate.
        decay, coupled: As for `sgd_step`.
        beta1, beta2, eps: Constants.

    Returns:
        (weights, (m, v, t)): new arrays, and t an int.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task weight_decay is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 5: soft threshold


def soft_threshold(z, t):
    """Return, for each z, the u that minimizes (u - z)^2 / 2 + t |u|.

    Args:
        z: An array of any shape, or a number.
        t: A number, at least 0.

    Returns:
        An array of the shape of z, float64.

    Example:
        For t = 1, the z 1.5, -3 and 0.2 give 0.5, -2 and 0.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task soft_threshold is not written yet")


def proximal_step(w, X, y, lam, *, step, alpha=1.0, soft_threshold=soft_threshold):
    """Return the weights after one proximal gradient step on the elastic net.

    First, take a gradient step of length `step` on |y - X w|^2 / 2, to v. Then return the u that minimizes
    |u - v|^2 / 2 + step * lam * (alpha |u|_1 + (1 - alpha) |u|^2 / 2).

    Args:
        w: Shape (d,).
        X, y: Shapes (n, d) and (n,). There is no intercept.
        lam: Penalty.
        step: Length of the gradient step, above 0.
        alpha: Share of the l1 part, from 0 to 1.
        soft_threshold: Your function. Checks lend a right one.

    Returns:
        Shape (d,).
    """
    # YOUR CODE HERE
    raise NotImplementedError("task soft_threshold is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 6: lasso. The objective is |y - X w|^2 / 2 + lam (alpha |w|_1 + (1 - alpha) |w|^2 / 2), without an intercept.


def lambda_max(X, y, *, alpha=1.0):
    """Return the smallest penalty with which the best weights are all 0.

    Args:
        X, y: Shapes (n, d) and (n,).
        alpha: Share of the l1 part, above 0, at most 1.

    Returns:
        float.

    Raises:
        ValueError: If alpha is not above 0 and at most 1.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be above 0 and at most 1, got {alpha}")
    # YOUR CODE HERE
    raise NotImplementedError("task lasso is not written yet")


def coordinate_sweep(w, residual, X, lam, *, alpha=1.0, soft_threshold=soft_threshold):
    """Set each weight in turn, 0 .. d - 1, to the best value for the present others, and return the weights.

    Args:
        w: Weights before the sweep, shape (d,).
        residual: y - X w, shape (n,).
        X: Shape (n, d).
        lam: Penalty, above 0.
        alpha: Share of the l1 part, from 0 to 1.
        soft_threshold: Your function. Checks lend a right one.

    Returns:
        (weights, residual) after the sweep, new arrays. A column of zeros gets the weight 0.
    """
    # for each column: what would be left of y without it? the best weight for that; the residual with the new weight
    # YOUR CODE HERE
    raise NotImplementedError("task lasso is not written yet")


def optimality_violation(w, X, y, lam, *, alpha=1.0):
    """Return how far weights are from the best ones, from slopes alone.

    At each w_j the objective, as a function of this weight alone, has a slope to the left and a slope to the right. They
    differ only at a kink. The weight is best if 0 is one of the two or lies between them. Otherwise its violation is the
    distance of 0 from the nearer one.

    Args:
        w: Shape (d,). An entry is at the kink only if it is exactly 0.
        X, y, lam, alpha: As for `coordinate_sweep`.

    Returns:
        float: the largest violation of all weights.

    Example:
        X = [[1]], y = [3], lam = 1: 2 at w = 0, 1 at w = 1, 0 at w = 2, and 5 at w = -1.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task lasso is not written yet")


def lasso_path(X, y, lams, *, alpha=1.0, tol=1e-9, max_sweeps=1000, coordinate_sweep=coordinate_sweep):
    """Return the best weights for each of several penalties.

    Penalties are solved from the largest to the smallest. The first one starts at w = 0, and each other one at the weights of
    the one before. A penalty is solved when no weight has changed by more than `tol` in a sweep, or after `max_sweeps` sweeps.

    Args:
        X, y: Shapes (n, d) and (n,).
        lams: Penalties in any order, above 0, shape (k,).
        alpha: Share of the l1 part, from 0 to 1.
        tol, max_sweeps: See above. Columns that are nearly alike take many sweeps.
        coordinate_sweep: Your function. It is called with (w, residual, X, lam, alpha=alpha). Checks lend a right one.

    Returns:
        Shape (k, d). Row i belongs to lams[i].
    """
    # YOUR CODE HERE
    raise NotImplementedError("task lasso is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 7: bias and variance


def bias_variance(predictions, truth):
    """Return the squared bias and the variance of predictions, each a mean over the test points.

    Args:
        predictions: Row i comes from training set i, shape (R, m). These R training sets are all that there are, and they
            are equally likely.
        truth: What is to be predicted, without noise, shape (m,).

    Returns:
        (squared bias, variance), two floats.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task bias_variance is not written yet")


def ridge_bias_variance(s, w, lam, noise_variance):
    """Return the squared bias and the variance of ridge's predictions at the training examples, by your formula.

    X = U diag(s) V^T stays fixed, and only the noise in y differs between training sets: y = X w_true + noise, where the entries
    are independent with mean 0. Ridge has the penalty lam |w|^2 / 2 beside |y - X w|^2 / 2, and no intercept.

    Args:
        s: Singular values of X, shape (k,), all above 0.
        w: The entries of V^T w_true, shape (k,).
        lam: At least 0.
        noise_variance: Of each entry of the noise.

    Returns:
        (squared bias, variance), each summed over the examples; two floats.

    Example:
        s = (1,), w = (2,), lam = 1 and noise of variance 8: the squared bias is 1, the variance 2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task bias_variance is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 8: cross-validation


def cross_validate(fit_predict, X, y, held_out):
    """Return the squared error of each example, predicted by a model that did not see it.

    For each fold, the other examples are the training set, in ascending order of their numbers. Every feature is standardized:
    subtract a mean and divide by a standard deviation (divisor n), both of which are those of the training set. If a feature is
    constant on the training set (its largest value equals its smallest), only subtract.

    Args:
        fit_predict: A function of (X_train, y_train, X_test), standardized, that returns predictions for X_test. It is called
            once for each fold, in order.
        X, y: Shapes (n, d) and (n,).
        held_out: The folds, a list of int arrays. Each example is in exactly one.

    Returns:
        Shape (n,), in the order of y.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task cross_validation is not written yet")


def leave_one_out(X, y, lam):
    """Return, for each example, y minus the prediction of the `ridge` that was fitted to all other examples.

    The intercept is not penalized, as in `ridge`, and features are not standardized. Your formula needs one fit, not n.

    Args:
        X, y: Shapes (n, d) and (n,), n at least 2.
        lam: Above 0.

    Returns:
        Shape (n,).

    Raises:
        ValueError: If lam is not above 0.

    Example:
        X = [[1], [3]]: each example is predicted by the other one's y.
    """
    if not lam > 0:
        raise ValueError(f"lam must be above 0, got {lam}")
    # YOUR CODE HERE
    raise NotImplementedError("task cross_validation is not written yet")


def one_standard_error(errors, lams):
    """Return the largest penalty whose mean error is hardly above the lowest one.

    Hardly means: by at most one standard error of the lowest mean, which is the standard deviation (divisor n - 1) of its
    errors, divided by the square root of n. If several penalties share the lowest mean, the first one counts.

    Args:
        errors: Squared errors of n examples for each penalty, shape (k, n), n at least 2.
        lams: Penalties, shape (k,), in any order.

    Returns:
        float.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task cross_validation is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 9: early stopping, and how many examples


def descent_filter(s, lr, n_steps):
    """Return which share of the least-squares weights gradient descent has found, direction by direction, by your formula.

    Gradient descent on |y - X w|^2 / 2 starts at w = 0.

    Args:
        s: Singular values of X, shape (k,), at least 0.
        lr: Learning rate. lr times the square of each s is at most 2.
        n_steps: Number of steps, at least 0.

    Returns:
        Shape (k,), without a loop over steps. The share is 0 where s is 0.

    Example:
        s = (2, 1), lr = 0.2 and one step: 0.8 and 0.2.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task generalize is not written yet")


def equivalent_penalty(s, lr, n_steps):
    """Return for each direction the penalty with which ridge keeps the share that gradient descent has found.

    Args:
        s: Singular values of X, shape (k,), above 0.
        lr: Learning rate. lr times the square of each s is below 1.
        n_steps: Number of steps, at least 1.

    Returns:
        Shape (k,).

    Example:
        s = (2, 1), lr = 0.2 and one step: 1 and 4.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task generalize is not written yet")


def examples_needed(gap, n_functions, delta):
    """Return how many examples make it unlikely that any of several functions looks much better or worse than it is.

    A function's *true* error is its probability to be wrong on a new example. Its *measured* error is the share of the n
    examples on which it is wrong. For one function, the probability that they differ by more than `gap`, to either side, is at
    most 2 exp(-2 n gap^2) (Hoeffding's bound). The probability that at least one of several events happens is at most the sum
    of their probabilities.

    Args:
        gap: Between 0 and 1.
        n_functions: How many functions there are.
        delta: The probability that at least one differs by more than `gap` shall be at most this; between 0 and 1.

    Returns:
        int: the smallest n for which these bounds promise it.
    """
    # YOUR CODE HERE
    raise NotImplementedError("task generalize is not written yet")
