"""Conformal prediction: intervals and label sets whose coverage is a theorem, not a hope.

The file holds the pinball loss, a linear quantile regressor, the conformal quantile, intervals (split
conformal, conformalized quantile regression, one threshold per group), label sets (LAC, APS, RAPS), measures of
coverage with its exact law, and a level that adapts online. It leaves out full and cross-conformal prediction,
and guarantees for single inputs. Models are passed in as functions.

All numbers are float64. `alpha` is the allowed share of misses, so alpha = 0.1 aims at 90% coverage. No function
changes its arguments.
"""

import math

import numpy as np

# For some alphas, the formula of the rank gives a whole number on paper. Floating point misses this number: 1 - 0.7 is
# 0.30000000000000004. If the value of the formula is within RANK_TOL of a whole number, that whole number is meant.
RANK_TOL = 1e-9


# ---------------------------------------------------------------------------------------------------------
# Task 1: the pinball loss


def pinball_loss(y, y_hat, tau):
    """Return the loss of the prediction `y_hat` of the tau-quantile if the truth is `y`, for each entry.

    Each unit by which the prediction is too low costs tau. Each unit by which it is too high costs 1 - tau.
    Nothing is averaged.

    Args:
        y: True values, any shape.
        y_hat: Predictions of the tau-quantile, broadcastable with `y`.
        tau: Quantile level in (0, 1), a number or an array broadcastable with the others.

    Returns:
        float64, the shape that the three arguments broadcast to. No loss is negative.

    Raises:
        ValueError: If a tau is not strictly between 0 and 1, or an input holds NaN.

    Source:
        Koenker and Bassett 1978.
    """
    y, y_hat, tau = _as_floats("y", y), _as_floats("y_hat", y_hat), _as_levels("tau", tau)
    # 1. the error y - y_hat; 2. the price per unit, which depends on the sign of the error
    # YOUR CODE HERE
    raise NotImplementedError("task pinball is not written yet")


def pinball_subgradient(y, y_hat, tau):
    """Return the slope of `pinball_loss` in `y_hat`, for each entry.

    At y = y_hat, the loss has a kink. There, return the slope that the loss has for predictions a little too low.

    Args:
        y: True values, any shape.
        y_hat: Predictions, broadcastable with `y`.
        tau: Quantile level in (0, 1), a number or an array broadcastable with the others.

    Returns:
        float64, the shape that the three arguments broadcast to.

    Raises:
        ValueError: If a tau is not strictly between 0 and 1, or an input holds NaN.
    """
    y, y_hat, tau = _as_floats("y", y), _as_floats("y_hat", y_hat), _as_levels("tau", tau)
    # the slope in y_hat, which depends on the sign of the error
    # YOUR CODE HERE
    raise NotImplementedError("task pinball is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 2: a linear quantile regressor


def quantile_gradient(X, y, w, b, tau, *, subgradient=pinball_subgradient):
    """Return a subgradient of the mean pinball loss of the linear model X w + b.

    Args:
        X: Inputs, shape (n, d), n >= 1.
        y: True values, shape (n,).
        w: Weights, shape (d,).
        b: Intercept, a number.
        tau: Quantile level in (0, 1), a number.
        subgradient: subgradient(y, y_hat, tau) returns the slope in each prediction, shape (n,).

    Returns:
        (grad_w, grad_b): shape (d,) and a number.

    Raises:
        ValueError: If the shapes do not fit together, tau is outside (0, 1), or an input holds NaN.
    """
    X, y = _as_regression(X, y, at_least=1)
    w, b, tau = _as_floats("w", w), float(b), float(_as_levels("tau", tau))
    if w.shape != X.shape[1:]:
        raise ValueError(f"w must have one entry per column of X, got w {w.shape} and X {X.shape}")
    # 1. predict; 2. the slope in each prediction; 3. the chain rule to w and b
    # YOUR CODE HERE
    raise NotImplementedError("task quantile_regression is not written yet")


def fit_quantile_regression(
    X, y, tau, *, lr=1.0, n_steps=300, loss=pinball_loss, gradient=quantile_gradient
):
    """Return the linear tau-quantile model with the lowest mean pinball loss on the path of the subgradient method.

    The path starts at w = 0, b = 0. For t = 1 .. n_steps, step t moves w and b downhill: against the gradient,
    by lr / sqrt(t) times the gradient. The path has n_steps + 1 points, since the start counts. If several points
    have the lowest loss, the earliest of them is returned.

    Args:
        X: Inputs, shape (n, d), n >= 1.
        y: True values, shape (n,).
        tau: Quantile level in (0, 1), a number.
        lr: Step size of the first step, positive.
        n_steps: Number of steps, at least 0.
        loss: loss(y, y_hat, tau) returns the loss of each prediction, shape (n,).
        gradient: gradient(X, y, w, b, tau) returns the slopes of the mean loss in w, shape (d,), and in b.

    Returns:
        (w, b): weights of shape (d,) and the intercept.

    Raises:
        ValueError: If the shapes do not fit together, tau is outside (0, 1), lr is not positive,
            n_steps is negative, or an input holds NaN.

    Source:
        Shor 1985 for the method; Boyd's lecture notes on subgradient methods for the bound.
    """
    X, y = _as_regression(X, y, at_least=1)
    tau = float(_as_levels("tau", tau))
    if not lr > 0:
        raise ValueError(f"lr must be positive, got {lr}")
    if n_steps < 0:
        raise ValueError(f"n_steps must not be negative, got {n_steps}")
    # 1. start at zero, and remember this point; 2. take a step; 3. if the new point has a lower mean loss, remember it
    # YOUR CODE HERE
    raise NotImplementedError("task quantile_regression is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 3: the conformal quantile


def conformal_rank(n, alpha):
    """Return the rank k of the threshold among n calibration scores; rank 1 is the smallest score.

    A new exchangeable score must be at most the k-th smallest score with probability at least 1 - alpha, for every
    distribution. k is the smallest such rank, and at least 1. If no rank up to n is large enough, k is n + 1. If the
    value of your formula is within RANK_TOL of a whole number, take that whole number.

    Args:
        n: Number of calibration scores, at least 0.
        alpha: Allowed share of misses, in (0, 1).

    Returns:
        k, an int from 1 to n + 1. The rank n + 1 says that n scores are too few for this alpha.

    Example:
        For 9 scores, alpha = 0.2, 0.15, 0.1 and 0.05 give the ranks 8, 9, 9 and 10.

    Raises:
        ValueError: If n is negative or alpha is not strictly between 0 and 1.

    Source:
        Vovk, Gammerman and Shafer 2005; Lei et al. 2018, section 2.
    """
    if n < 0:
        raise ValueError(f"n must not be negative, got {n}")
    alpha = float(_as_levels("alpha", alpha))
    # YOUR CODE HERE
    raise NotImplementedError("task conformal_quantile is not written yet")


def conformal_quantile(scores, alpha, *, rank=conformal_rank):
    """Return the threshold that a new exchangeable score exceeds with probability at most alpha.

    The threshold is the k-th smallest of the n scores. If k > n, the threshold is +inf. Equal scores count one by
    one. Nothing is interpolated.

    Args:
        scores: Calibration scores, shape (..., n). n may be 0. Leading axes are separate calibrations.
            A score may be infinite.
        alpha: Allowed share of misses, in (0, 1).
        rank: rank(n, alpha) returns k.

    Returns:
        float64, shape (...).

    Raises:
        ValueError: If scores has no dimension or holds NaN, or alpha is not strictly between 0 and 1.
    """
    scores = _as_floats("scores", scores)
    if scores.ndim == 0:
        raise ValueError("scores must have at least one dimension, got a number")
    alpha = float(_as_levels("alpha", alpha))
    # 1. the rank; 2. the case without a score of this rank; 3. the k-th smallest score along the last axis
    # YOUR CODE HERE
    raise NotImplementedError("task conformal_quantile is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 4: split conformal prediction


def split_conformal(fit, predict, X, y, X_test, alpha, *, n_train, quantile=conformal_quantile):
    """Return intervals around the predictions of any model that cover with probability at least 1 - alpha.

    The model is fitted to the first n_train rows. All later rows are calibration rows: the score of each is
    |y - y_hat|. q is the conformal quantile of these scores. The interval of a test row is [y_hat - q, y_hat + q].

    Args:
        fit: fit(X_train, y_train) returns a model of any kind. Call `fit` once, and use the model for `predict` only.
        predict: predict(model, X_rows) returns predictions, shape (rows,). There may be no rows.
        X: Inputs, shape (n, d), in random order.
        y: True values, shape (n,).
        X_test: Inputs of the test rows, shape (m, d).
        alpha: Allowed share of misses, in (0, 1).
        n_train: Number of training rows, from 1 to n. If n_train is n, there are no calibration rows.
        quantile: quantile(scores, alpha) returns the threshold q.

    Returns:
        (lower, upper): both float64 of shape (m,).

    Raises:
        ValueError: If the shapes do not fit together, n_train is not in 1 .. n, alpha is not in (0, 1),
            or an input holds NaN.

    Source:
        Papadopoulos et al. 2002; Lei et al. 2018, algorithm 2.
    """
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    # 1. the model; 2. the scores of the calibration rows; 3. the threshold; 4. the intervals of the test rows
    # YOUR CODE HERE
    raise NotImplementedError("task split_conformal is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 5: conformalized quantile regression


def cqr_scores(y, lower, upper):
    """Return how far both edges of each row's band must move outward until the band just contains y.

    Both edges move by the same amount. If a score is negative, the edges can move inward by that amount and
    still contain y. If a band is crossed (its upper edge lies below its lower edge), the definition is the same.

    Args:
        y: True values, shape (n,).
        lower: Predicted lower quantiles, shape (n,).
        upper: Predicted upper quantiles, shape (n,). May lie below `lower`.

    Returns:
        float64, shape (n,). The score is 0 if y lies on an edge of the band.

    Example:
        For the band [0, 4], y = 5, y = -2 and y = 1 score 1, 2 and -1.

    Raises:
        ValueError: If the shapes differ or an input holds NaN.

    Source:
        Romano, Patterson and Candes 2019, equation 6.
    """
    y, lower, upper = _as_floats("y", y), _as_floats("lower", lower), _as_floats("upper", upper)
    _same_shape("y", y, "lower", lower)
    _same_shape("y", y, "upper", upper)
    # YOUR CODE HERE
    raise NotImplementedError("task cqr is not written yet")


def cqr(fit, predict, X, y, X_test, alpha, *, n_train, score=cqr_scores, quantile=conformal_quantile):
    """Return intervals that follow the spread of the data and cover with probability at least 1 - alpha.

    Two models are fitted to the first n_train rows, for the quantiles alpha/2 and 1 - alpha/2. Their predictions
    are the edges of a band. All later rows are calibration rows. q is the conformal quantile of their scores. Both
    edges move outward by q. A negative q makes the band narrower.

    Args:
        fit: fit(X_train, y_train, tau) returns a model of the tau-quantile. Call `fit` once for each level.
        predict: predict(model, X_rows) returns predictions, shape (rows,). There may be no rows.
        X: Inputs, shape (n, d), in random order.
        y: True values, shape (n,).
        X_test: Inputs of the test rows, shape (m, d).
        alpha: Allowed share of misses, in (0, 1).
        n_train: Number of training rows, from 1 to n.
        score: score(y, lower, upper) returns the scores of the calibration rows.
        quantile: quantile(scores, alpha) returns the threshold q.

    Returns:
        (lower, upper): both float64 of shape (m,), not sorted. If lower is above upper, the interval is empty.

    Raises:
        ValueError: If the shapes do not fit together, n_train is not in 1 .. n, alpha is not in (0, 1),
            or an input holds NaN.

    Source:
        Romano, Patterson and Candes 2019, algorithm 1.
    """
    X, y, X_test = _as_split(X, y, X_test, n_train)
    alpha = float(_as_levels("alpha", alpha))
    # 1. both models; 2. the scores of the calibration rows; 3. the threshold; 4. the moved edges of the test rows
    # YOUR CODE HERE
    raise NotImplementedError("task cqr is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 6: sets of labels


def lac_scores(probs):
    """Return the LAC score of every label: 1 minus its probability.

    Args:
        probs: Predicted probabilities, shape (n, K), each row sums to 1.

    Returns:
        float64, shape (n, K), one score per label. Calibration takes the scores of the true labels.

    Raises:
        ValueError: If probs is not (n, K) with K >= 1, or a row is not a distribution.

    Source:
        Sadinle, Lei and Wasserman 2019 (least ambiguous set-valued classifiers).
    """
    return 1 - _as_probs(probs)


def lac_sets(probs, q):
    """Return the LAC set of each row: the labels whose LAC score is at most q.

    Args:
        probs: Predicted probabilities, shape (n, K).
        q: Threshold from calibration. It may be +inf.

    Returns:
        bool, shape (n, K): True where the label is in the set.

    Raises:
        ValueError: If a row of probs is not a distribution, or q is NaN.
    """
    probs = _as_probs(probs)
    q = float(_as_floats("q", q))
    # YOUR CODE HERE
    raise NotImplementedError("task label_sets is not written yet")


def aps_scores(probs, *, u=None, penalty=0.0, k_reg=1):
    """Return the APS score of every label, or with a penalty the RAPS score.

    The labels of a row are ranked: o(y) = 1 for the most probable label, 2 for the next, and so on. If two labels
    are equally probable, the label with the smaller index ranks first. before(y) is the summed probability of the
    labels with a smaller rank. The score is s(y) = before(y) + u p(y) + penalty max(0, o(y) - k_reg).

    Args:
        probs: Predicted probabilities, shape (n, K).
        u: Uniform numbers in [0, 1], shape (n,), one per row. With None, p(y) counts in full, as for u = 1.
        penalty: Cost of each rank beyond k_reg, not negative (lambda in the paper).
        k_reg: The largest rank that costs nothing, at least 0.

    Returns:
        float64, shape (n, K), in the order of the labels.

    Example:
        p = (1/8, 1/2, 1/4, 1/8) has the ranks 3, 1, 2, 4. Without u or penalty, the scores are
        (0.875, 0.5, 0.75, 1). Without u, penalty = 0.5 and k_reg = 2 give (1.375, 0.5, 0.75, 2).

    Raises:
        ValueError: If a row of probs is not a distribution, u has the wrong shape or leaves [0, 1],
            or penalty or k_reg is negative.

    Source:
        Romano, Sesia and Candes 2020; Angelopoulos et al. 2021 (RAPS).
    """
    probs = _as_probs(probs)
    u = _as_uniforms(u, probs)
    _check_penalty(penalty, k_reg)
    # 1. rank the labels of each row; 2. the mass before each label; 3. u p and the penalty; 4. back to label order
    # YOUR CODE HERE
    raise NotImplementedError("task label_sets is not written yet")


def aps_sets(probs, q, *, u=None, penalty=0.0, k_reg=1, score=aps_scores):
    """Return the APS set of each row at the threshold q, or with a penalty the RAPS set.

    With u, the set contains exactly the labels whose score is at most q. Without u, it contains these labels and
    the first label of the ranking whose score is at least q. A label of probability 0 that scores q is in the
    set, too, since s(y) <= q keeps ties.

    Args:
        probs: Predicted probabilities, shape (n, K).
        q: Threshold from calibration on `aps_scores` with the same penalty and k_reg. It may be +inf.
        u: Uniform numbers in [0, 1], shape (n,), drawn for these rows, or None.
        penalty: As in `aps_scores`.
        k_reg: As in `aps_scores`.
        score: score(probs, u=u, penalty=penalty, k_reg=k_reg) returns the score of every label.

    Returns:
        bool, shape (n, K), in the order of the labels.

    Raises:
        ValueError: As `aps_scores`, or if q is NaN.

    Source:
        Romano, Sesia and Candes 2020, equations 4 to 8; Angelopoulos et al. 2021, algorithms 2 and 3.
    """
    probs = _as_probs(probs)
    u = _as_uniforms(u, probs)
    q = float(_as_floats("q", q))
    _check_penalty(penalty, k_reg)
    # 1. compare the scores with q; 2. if u is None, add the first label of the ranking whose score reaches q
    # YOUR CODE HERE
    raise NotImplementedError("task label_sets is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 7: one threshold per group


def group_quantiles(scores, groups, alpha, *, n_groups, quantile=conformal_quantile):
    """Return a threshold for each group, from the calibration scores of this group alone.

    Args:
        scores: Calibration scores, shape (n,).
        groups: Group of each score, whole numbers from 0 to n_groups - 1, shape (n,).
        alpha: Allowed share of misses within every group, in (0, 1).
        n_groups: Number of groups G, at least 1. A group may have no scores.
        quantile: quantile(scores, alpha) returns the threshold of one group's scores.

    Returns:
        float64, shape (G,). A group without scores has the threshold +inf.

    Raises:
        ValueError: If the shapes differ, a group is out of range, alpha is not in (0, 1), or scores hold NaN.

    Source:
        Vovk 2012, section 3 (Mondrian conformal prediction).
    """
    scores = _as_floats("scores", scores)
    groups = _as_groups(groups, n_groups)
    _same_shape("scores", scores, "groups", groups)
    alpha = float(_as_levels("alpha", alpha))
    # YOUR CODE HERE
    raise NotImplementedError("task groups is not written yet")


def group_intervals(y_hat, groups, thresholds):
    """Return the interval [y_hat - q, y_hat + q] of each row, where q is the threshold of the row's group.

    Args:
        y_hat: Predictions, shape (m,).
        groups: Group of each row, whole numbers from 0 to G - 1, shape (m,).
        thresholds: One per group, shape (G,).

    Returns:
        (lower, upper): both float64 of shape (m,).

    Raises:
        ValueError: If the shapes do not fit together, a group is out of range, or an input holds NaN.
    """
    y_hat, thresholds = _as_floats("y_hat", y_hat), _as_floats("thresholds", thresholds)
    groups = _as_groups(groups, len(thresholds))
    _same_shape("y_hat", y_hat, "groups", groups)
    q = thresholds[groups]  # (m,)
    return y_hat - q, y_hat + q


# ---------------------------------------------------------------------------------------------------------
# Task 8: measuring coverage, and its exact law


def interval_coverage(y, lower, upper):
    """Return the share of rows whose y lies in the closed interval [lower, upper].

    Args:
        y: True values, shape (m,), m >= 1.
        lower: Lower ends, shape (m,), may be -inf.
        upper: Upper ends, shape (m,), may be +inf. If upper is below lower, the interval is empty.

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: If the shapes differ, m is 0, or an input holds NaN.
    """
    y, lower, upper = _as_floats("y", y), _as_floats("lower", lower), _as_floats("upper", upper)
    _same_shape("y", y, "lower", lower)
    _same_shape("y", y, "upper", upper)
    _not_empty("y", y)
    # YOUR CODE HERE
    raise NotImplementedError("task coverage is not written yet")


def mean_width(lower, upper):
    """Return the mean length of the intervals. An empty interval (upper < lower) has length 0.

    Args:
        lower: Lower ends, shape (m,), m >= 1.
        upper: Upper ends, shape (m,).

    Returns:
        A number, +inf if any interval is unbounded.

    Raises:
        ValueError: If the shapes differ, m is 0, or an input holds NaN.
    """
    lower, upper = _as_floats("lower", lower), _as_floats("upper", upper)
    _same_shape("lower", lower, "upper", upper)
    _not_empty("lower", lower)
    return np.mean(np.maximum(upper - lower, 0.0))


def set_coverage(sets, labels):
    """Return the share of rows whose set contains the row's true label.

    Args:
        sets: bool, shape (m, K), m >= 1.
        labels: True labels, whole numbers from 0 to K - 1, shape (m,).

    Returns:
        A number from 0 to 1.

    Raises:
        ValueError: If sets is not a bool array of shape (m, K), m is 0, or labels do not fit.
    """
    sets = _as_sets(sets)
    labels = _as_groups(labels, sets.shape[1], name="labels")
    if labels.shape != sets.shape[:1]:
        raise ValueError(f"labels must have one entry per row of sets, got {labels.shape} and {sets.shape}")
    # YOUR CODE HERE
    raise NotImplementedError("task coverage is not written yet")


def mean_set_size(sets):
    """Return the mean number of labels per set. An empty set counts as 0.

    Args:
        sets: bool, shape (m, K), m >= 1.

    Returns:
        A number from 0 to K.

    Raises:
        ValueError: If sets is not a bool array of shape (m, K), or m is 0.
    """
    return np.mean(_as_sets(sets).sum(axis=1))


def coverage_moments(n, k):
    """Return the mean and the standard deviation of the coverage C of one calibration set.

    The k-th smallest of n calibration scores is the threshold for all future cases. C is the share of these cases
    that are covered. C is random, because the calibration set is. If the scores are independent and without ties,
    C follows a Beta law, which depends on n and k. If k = n + 1, the threshold is +inf, and C = 1 for certain.

    Args:
        n: Number of calibration scores, at least 0.
        k: Rank of the threshold, from 1 to n + 1.

    Returns:
        (mean, std) of C. If k = n + 1, this is (1, 0).

    Example:
        If one score is the threshold (n = k = 1), C is uniform. The result is (1/2, sqrt(1/12)).

    Raises:
        ValueError: If k is not in 1 .. n + 1.

    Source:
        Vovk 2012, section 4; Angelopoulos and Bates 2023, section 3.2.
    """
    _check_rank(n, k)
    # YOUR CODE HERE
    raise NotImplementedError("task coverage is not written yet")


def coverage_cdf(c, n, k):
    """Return P(C <= c), the probability that the coverage C of one calibration set is at most c.

    C is the k-th smallest of n independent uniform numbers. If k = n + 1, C = 1 for certain: the result is then 0
    for c < 1, and 1 at c = 1.

    Args:
        c: Coverage values in [0, 1], any shape.
        n: Number of calibration scores, at least 0. It may be in the thousands.
        k: Rank of the threshold, from 1 to n + 1.

    Returns:
        float64, the shape of `c`, to about eight digits for n in the thousands.

    Example:
        If the larger of two scores is the threshold (n = k = 2), P(C <= 1/2) = 1/4.

    Raises:
        ValueError: If a c is outside [0, 1] or k is not in 1 .. n + 1.
    """
    c = _as_floats("c", c)
    _check_rank(n, k)
    if ((c < 0) | (c > 1)).any():
        raise ValueError(f"c must lie in [0, 1], got {c[(c < 0) | (c > 1)].flat[0]}")
    # 1. logarithms, since 2000! is too large for a float; 2. the sum of all terms; 3. the cases c = 0 and c = 1
    # YOUR CODE HERE
    raise NotImplementedError("task coverage is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Task 9: a level that adapts


def adapt_level(level, missed, *, alpha, gamma):
    """Return the level of the next round: lower after a miss, higher after a hit.

    A hit raises the level by a fixed amount, and a miss lowers it by another fixed amount. The two amounts add up to
    gamma. If exactly the share alpha of the rounds are misses, ups and downs cancel. The level is not clipped: it may
    leave [0, 1].

    Args:
        level: The level alpha_t of this round, a number.
        missed: Whether this round was a miss, a bool.
        alpha: The share of misses aimed at, in (0, 1).
        gamma: Sum of the lengths of the two steps, positive.

    Returns:
        The level of the next round, a number.

    Example:
        With alpha = 0.25 and gamma = 0.5, the level 0.25 becomes -0.125 after a miss and 0.375 after a hit.

    Raises:
        ValueError: If alpha is not in (0, 1) or gamma is not positive.

    Source:
        Gibbs and Candes 2021, equation 2.
    """
    alpha = float(_as_levels("alpha", alpha))
    if not gamma > 0:
        raise ValueError(f"gamma must be positive, got {gamma}")
    # YOUR CODE HERE
    raise NotImplementedError("task online is not written yet")


def adaptive_conformal(scores, alpha, gamma, *, n_start, quantile=conformal_quantile, adapt=adapt_level):
    """Return the thresholds, the misses and the levels of an adaptive level on a stream of scores.

    Round t = 0, 1, .. has the score scores[n_start + t]. The level of round 0 is alpha_0 = alpha. Each round has
    three steps, in this order:
    1. Take the threshold q_t at the level alpha_t, from `past`: all scores before the round's score, from scores[0]
       on. If alpha_t <= 0, q_t is +inf. If alpha_t >= 1, q_t is -inf. Otherwise, q_t is quantile(past, alpha_t).
    2. The round is a miss if its score is above q_t.
    3. Adapt the level.

    Args:
        scores: Nonconformity scores in order of time, shape (N,).
        alpha: The share of misses aimed at, in (0, 1).
        gamma: As in `adapt_level`.
        n_start: Number of scores before the first round, from 0 to N. There are T = N - n_start rounds.
        quantile: quantile(past, alpha_t) returns a threshold, for a level strictly between 0 and 1.
        adapt: adapt(level, missed, alpha=alpha, gamma=gamma) returns the next level.

    Returns:
        (thresholds, missed, levels): float64 of shape (T,), bool of shape (T,), and float64 of shape (T + 1,).
        The levels run from alpha_0 to the level after the last round.

    Raises:
        ValueError: If scores is not one-dimensional or holds NaN, alpha is not in (0, 1), gamma is not
            positive, or n_start is not in 0 .. N.

    Source:
        Gibbs and Candes 2021, section 2.
    """
    scores = _as_floats("scores", scores)
    if scores.ndim != 1:
        raise ValueError(f"scores must have one dimension, got shape {scores.shape}")
    alpha = float(_as_levels("alpha", alpha))
    if not gamma > 0:
        raise ValueError(f"gamma must be positive, got {gamma}")
    if not 0 <= n_start <= len(scores):
        raise ValueError(f"n_start must be from 0 to {len(scores)}, the number of scores, got {n_start}")
    # for each round: 1. the threshold; 2. whether the round is a miss; 3. the next level
    # YOUR CODE HERE
    raise NotImplementedError("task online is not written yet")


# ---------------------------------------------------------------------------------------------------------
# Input checks, given


def _as_floats(name, values):
    """Return `values` as a float64 array, refusing NaN: no order statistic can place it."""
    array = np.asarray(values, dtype=np.float64)
    if np.isnan(array).any():
        raise ValueError(f"{name} must not hold NaN, got {int(np.isnan(array).sum())} of {array.size}")
    return array


def _as_levels(name, values):
    """Return `values` as a float64 array, refusing anything not strictly between 0 and 1."""
    array = _as_floats(name, values)
    bad = (array <= 0) | (array >= 1)
    if bad.any():
        raise ValueError(f"{name} must lie strictly between 0 and 1, got {array[bad].flat[0]}")
    return array


def _as_regression(X, y, *, at_least):
    """Return X (n, d) and y (n,) as float64, with n at least `at_least`."""
    X, y = _as_floats("X", X), _as_floats("y", y)
    if X.ndim != 2 or y.shape != X.shape[:1]:
        raise ValueError(f"X must be (n, d) and y (n,), got X {X.shape} and y {y.shape}")
    if len(y) < at_least:
        raise ValueError(f"X must have at least {at_least} rows, got {len(y)}")
    return X, y


def _as_split(X, y, X_test, n_train):
    """Return X, y and X_test as float64 arrays that fit together, after checking n_train."""
    X, y = _as_regression(X, y, at_least=1)
    X_test = _as_floats("X_test", X_test)
    if X_test.ndim != 2 or X_test.shape[1] != X.shape[1]:
        raise ValueError(f"X_test must be (m, d) with the d of X, got {X_test.shape} and X {X.shape}")
    if not 1 <= n_train <= len(y):
        raise ValueError(f"n_train must be from 1 to {len(y)}, the number of rows, got {n_train}")
    return X, y, X_test


def _as_probs(probs):
    """Return probs as float64 of shape (n, K), each row a distribution."""
    probs = _as_floats("probs", probs)
    if probs.ndim != 2 or probs.shape[1] == 0:
        raise ValueError(f"probs must be (n, K) with K at least 1, got {probs.shape}")
    if (probs < 0).any():
        raise ValueError(f"probs must not be negative, got {probs.min()}")
    off = np.abs(probs.sum(axis=1) - 1)
    if (off > 1e-6).any():
        raise ValueError(f"each row of probs must sum to 1, got {probs.sum(axis=1)[off.argmax()]}")
    return probs


def _as_uniforms(u, probs):
    """Return u as float64 with one number in [0, 1] per row of probs, or None."""
    if u is None:
        return None
    u = _as_floats("u", u)
    if u.shape != probs.shape[:1]:
        raise ValueError(f"u must have one entry per row of probs, got {u.shape} and {probs.shape}")
    if ((u < 0) | (u > 1)).any():
        raise ValueError(f"u must lie in [0, 1], got {u[(u < 0) | (u > 1)].flat[0]}")
    return u


def _as_groups(groups, n_groups, *, name="groups"):
    """Return groups as a one-dimensional integer array with values from 0 to n_groups - 1."""
    groups = np.asarray(groups)
    if groups.size == 0:
        groups = groups.astype(np.intp)
    if groups.ndim != 1 or groups.dtype.kind not in "iu":
        raise ValueError(f"{name} must be whole numbers of shape (n,), got {groups.dtype} {groups.shape}")
    bad = (groups < 0) | (groups >= n_groups)
    if bad.any():
        raise ValueError(f"{name} must be from 0 to {n_groups - 1}, got {groups[bad][0]}")
    return groups


def _as_sets(sets):
    """Return sets as a bool array of shape (m, K) with m at least 1."""
    sets = np.asarray(sets)
    if sets.ndim != 2 or sets.dtype != bool:
        raise ValueError(f"sets must be bool of shape (m, K), got {sets.dtype} {sets.shape}")
    _not_empty("sets", sets)
    return sets


def _same_shape(name, array, other_name, other):
    """Refuse two arrays whose shapes differ."""
    if array.shape != other.shape:
        raise ValueError(f"{name} and {other_name} must have one shape, got {array.shape} and {other.shape}")


def _not_empty(name, array):
    """Refuse an array without rows: a mean over nothing is not a number."""
    if len(array) == 0:
        raise ValueError(f"{name} must have at least one row, got shape {array.shape}")


def _check_penalty(penalty, k_reg):
    """Refuse a negative RAPS penalty or a negative k_reg."""
    if penalty < 0:
        raise ValueError(f"penalty must not be negative, got {penalty}")
    if k_reg < 0:
        raise ValueError(f"k_reg must not be negative, got {k_reg}")


def _check_rank(n, k):
    """Refuse a rank that no calibration set of size n has."""
    if not 1 <= k <= n + 1:
        raise ValueError(f"k must be from 1 to n + 1 = {n + 1}, got {k}")
