"""Public checks of the conformal assignment: values done by hand. Run `pytest` in this folder."""

import math

import numpy as np
import pytest
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

# Task 1


@number("1.p1")
@weight(2)
@tags("pinball")
def test_pinball_by_hand(impl):
    """At tau = 0.9 a prediction 2 too low costs 1.8, one 2 too high 0.2, an exact one nothing."""
    y, y_hat = np.array([3.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])

    assert_close(impl.pinball_loss(y, y_hat, 0.9), np.array([1.8, 0.2, 0.0]), name="pinball_loss")
    # raising the prediction helps where it is too low; the exact one belongs to that branch
    slope = impl.pinball_subgradient(y, y_hat, 0.9)
    assert_close(slope, np.array([-0.9, 0.1, -0.9]), name="pinball_subgradient")
    # two predictions for one y, each with its own level
    loss = impl.pinball_loss(np.array([[1.0]]), np.array([[0.0, 5.0]]), np.array([0.25, 0.75]))
    assert_close(loss, np.array([[0.25, 1.0]]), name="pinball_loss")


# Task 2


@number("2.p1")
@weight(1)
@tags("quantile_regression")
def test_quantile_regression_gradient_by_hand(impl):
    """Two rows, one predicted too low and one too high, pull with slopes -tau and 1 - tau."""
    X, y = np.array([[1.0], [2.0]]), np.array([2.0, -1.0])

    grad_w, grad_b = impl.quantile_gradient(X, y, np.zeros(1), 0.0, 0.75)

    assert_close(grad_w, np.array([(-0.75 * 1 + 0.25 * 2) / 2]), name="grad_w")
    assert_close(grad_b, (-0.75 + 0.25) / 2, name="grad_b")


@number("2.p2")
@weight(1)
@tags("quantile_regression")
def test_quantile_regression_first_step_by_hand(impl):
    """One step of length 1 goes against the gradient, and lowers the loss of these two rows."""
    X, y = np.array([[1.0], [2.0]]), np.array([2.0, -1.0])

    w, b = impl.fit_quantile_regression(X, y, 0.75, lr=1.0, n_steps=1)

    assert_close(w, np.array([0.125]), name="w")
    assert_close(b, 0.25, name="b")


# Task 3


@number("3.p1")
@weight(2)
@tags("conformal_quantile")
@pytest.mark.parametrize(
    ("alpha", "k", "threshold"), [(0.2, 8, 80.0), (0.15, 9, 90.0), (0.1, 9, 90.0), (0.05, 10, math.inf)]
)
def test_conformal_quantile_of_nine_scores(impl, alpha, k, threshold):
    """Of nine scores the 8th serves alpha = 0.2, the 9th serves 0.1, and none serves 0.05."""
    scores = np.array([40.0, 10.0, 90.0, 60.0, 20.0, 80.0, 30.0, 70.0, 50.0])

    assert_close(impl.conformal_rank(9, alpha), k, name="conformal_rank")
    assert_close(impl.conformal_quantile(scores, alpha), threshold, name="conformal_quantile")


@number("3.p2")
@weight(1)
@tags("conformal_quantile")
def test_conformal_quantile_refuses_nonsense(impl):
    """An alpha outside (0, 1) and a NaN among the scores raise ValueError; 10 * (1 - 0.7) is 3."""
    with pytest.raises(ValueError, match="alpha"):
        impl.conformal_quantile(np.array([1.0, 2.0]), 1.5)
    with pytest.raises(ValueError, match="alpha"):
        impl.conformal_rank(9, 0.0)
    with pytest.raises(ValueError, match="scores"):
        impl.conformal_quantile(np.array([1.0, math.nan]), 0.5)
    assert_close(impl.conformal_rank(9, 0.7), 3, name="conformal_rank")


# Task 4. Here and below `quantile` is a simple stand-in, so that task 3 need not be done first.


def largest(scores, alpha):
    return float(max(scores, default=math.inf))


@number("4.p1")
@weight(2)
@tags("split_conformal")
def test_split_conformal_by_hand(impl):
    """A model that predicts the training mean, 2, misses the others by 3 and 1: the interval is 2 -+ 3."""
    X, y = np.zeros((4, 1)), np.array([1.0, 3.0, -1.0, 3.0])

    def fit(X, y):
        return float(np.mean(y))

    def predict(model, X):
        return np.full(len(X), model)

    X_test = np.zeros((2, 1))
    lower, upper = impl.split_conformal(fit, predict, X, y, X_test, 0.3, n_train=2, quantile=largest)

    assert_close(lower, np.array([-1.0, -1.0]), name="lower")
    assert_close(upper, np.array([5.0, 5.0]), name="upper")


# Task 5


@number("5.p1")
@weight(1)
@tags("cqr")
def test_cqr_scores_by_hand(impl):
    """For the band [0, 4]: 5 is 1 outside, -2 is 2 outside, 1 is 1 inside, 4 is on the edge."""
    y = np.array([5.0, -2.0, 1.0, 4.0])

    scores = impl.cqr_scores(y, np.zeros(4), np.full(4, 4.0))
    assert_close(scores, np.array([1.0, 2.0, -1.0, 0.0]), name="cqr_scores")


@number("5.p2")
@weight(1)
@tags("cqr")
def test_cqr_by_hand(impl):
    """A band from 1 to 9 around values that stay between 4 and 7 gives up 2 on either side."""
    X, y = np.zeros((5, 1)), np.array([0.0, 0.0, 4.0, 5.0, 7.0])

    def fit(X, y, tau):
        return 10 * tau

    def predict(model, X):
        return np.full(len(X), model)

    lower, upper = impl.cqr(fit, predict, X, y, np.zeros((1, 1)), 0.2, n_train=2, quantile=largest)

    assert_close(lower, np.array([3.0]), name="lower")
    assert_close(upper, np.array([7.0]), name="upper")


# Task 6. Sums of these probabilities are exact in floating point.

PROBS = np.array([[0.125, 0.5, 0.25, 0.125], [0.25, 0.25, 0.25, 0.25]])


@number("6.p1")
@weight(2)
@tags("label_sets")
def test_label_sets_start_from_scores(impl):
    """LAC scores a label by itself; APS sums up to it, most probable first, ties by the lower label."""
    assert_close(impl.lac_scores(PROBS), 1 - PROBS, name="lac_scores")
    assert_close(
        impl.aps_scores(PROBS), np.array([[0.875, 0.5, 0.75, 1.0], [0.25, 0.5, 0.75, 1.0]]), name="aps_scores"
    )
    # u = 0 in the first row: a label's own probability does not count; u = 1/2 in the second
    scores = impl.aps_scores(PROBS, u=np.array([0.0, 0.5]))
    assert_close(scores, np.array([[0.75, 0.0, 0.5, 0.875], [0.125, 0.375, 0.625, 0.875]]), name="aps_scores")
    # ranks 3 and 4 are 1 and 2 beyond k_reg = 2
    scores = impl.aps_scores(PROBS[:1], penalty=0.5, k_reg=2)
    assert_close(scores, np.array([[1.375, 0.5, 0.75, 2.0]]), name="aps_scores")


@number("6.p2")
@weight(2)
@tags("label_sets")
def test_label_sets_by_hand(impl):
    """LAC keeps scores up to q and may keep none; APS without u adds the label that reaches q."""
    lac = impl.lac_sets(PROBS, 0.5)
    assert_close(lac, np.array([[False, True, False, False], [False] * 4]), name="lac_sets")
    # 0.5 is not yet 0.6, and 0.5 + 0.25 is: two labels, and three of the equal ones
    aps = impl.aps_sets(PROBS, 0.6)
    assert_close(aps, np.array([[False, True, True, False], [True, True, True, False]]), name="aps_sets")
    # 1 is reached by the first label; the other has no probability, scores 1 as well, and is covered
    aps = impl.aps_sets(np.array([[1.0, 0.0]]), 1.0)
    assert_close(aps, np.array([[True, True]]), name="aps_sets")
    # with u: exactly the labels whose score above is at most 0.6
    aps = impl.aps_sets(PROBS, 0.6, u=np.array([0.0, 0.5]))
    assert_close(aps, np.array([[False, True, True, False], [True, True, False, False]]), name="aps_sets")


# Task 7


@number("7.p1")
@weight(2)
@tags("groups")
def test_groups_by_hand(impl):
    """Group 0 has scores 1 and 3, group 2 has 7, group 1 none; each row gets the threshold of its group."""
    scores, groups = np.array([1.0, 7.0, 3.0]), np.array([0, 2, 0])

    thresholds = impl.group_quantiles(scores, groups, 0.5, n_groups=3, quantile=largest)
    assert_close(thresholds, np.array([3.0, math.inf, 7.0]), name="group_quantiles")

    y_hat, groups = np.array([10.0, 20.0]), np.array([2, 0])
    lower, upper = impl.group_intervals(y_hat, groups, np.array([3.0, math.inf, 7.0]))
    assert_close(lower, np.array([3.0, 17.0]), name="lower")
    assert_close(upper, np.array([17.0, 23.0]), name="upper")


# Task 8


@number("8.p1")
@weight(1)
@tags("coverage")
def test_coverage_and_size_by_hand(impl):
    """Ends belong to an interval; a crossed interval covers nothing and has no width; empty sets count."""
    y = np.array([0.0, 5.0, 2.0, 2.0])
    lower, upper = np.array([0.0, 1.0, 3.0, 1.0]), np.array([1.0, 4.0, 1.0, 3.0])
    assert_close(impl.interval_coverage(y, lower, upper), 0.5, name="interval_coverage")
    assert_close(impl.mean_width(lower, upper), (1 + 3 + 0 + 2) / 4, name="mean_width")

    sets = np.array([[True, True, False], [False, False, False], [False, True, False], [True, True, True]])
    assert_close(impl.set_coverage(sets, np.array([2, 0, 1, 0])), 0.5, name="set_coverage")
    assert_close(impl.mean_set_size(sets), (2 + 0 + 1 + 3) / 4, name="mean_set_size")


@number("8.p2")
@weight(1)
@tags("coverage")
def test_coverage_law_by_hand(impl):
    """With the largest of nine scores as threshold, coverage is at most c if all nine are: c to the 9th."""
    mean, std = impl.coverage_moments(9, 9)
    assert_close(mean, 0.9, name="mean")
    assert_close(std, math.sqrt(0.9 * 0.1 / 11), name="std")  # var Beta(a, b) = ab / ((a + b)^2 (a + b + 1))

    c = np.array([0.0, 0.5, 0.9, 1.0])
    assert_close(impl.coverage_cdf(c, 9, 9), c**9, name="coverage_cdf")


# Task 9


@number("9.p1")
@weight(1)
@tags("online")
def test_online_rounds_by_hand(impl):
    """Rounds see 2 | 5 | 1 after the scores 3, 4: hit, miss, hit; the level goes up, down, up."""
    assert_close(impl.adapt_level(0.25, True, alpha=0.25, gamma=0.5), -0.125, name="adapt_level")

    scores = np.array([3.0, 4.0, 2.0, 5.0, 1.0])
    thresholds, missed, levels = impl.adaptive_conformal(scores, 0.25, 0.5, n_start=2, quantile=largest)

    assert_close(levels, np.array([0.25, 0.375, 0.0, 0.125]), name="levels")
    # the level 0 of the last round allows no miss at all
    assert_close(thresholds, np.array([4.0, 4.0, math.inf]), name="thresholds")
    assert_close(missed, np.array([False, True, False]), name="missed")
