"""Public checks of the conformal assignment: values done by hand. Run `pytest` in this folder."""

import math

import numpy as np
import pytest
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

# Each check needs only the function that it is about. If this function calls another function of yours, the check
# passes a stand-in for the other function.

# Task 1


@number("1.p1")
@weight(1)
@tags("pinball")
def test_pinball_loss_by_hand(impl):
    """At tau = 0.9, a prediction costs 1.8 if it is 2 too low, 0.2 if it is 2 too high, and 0 if it is exact."""
    y, y_hat = np.array([3.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])

    assert_close(impl.pinball_loss(y, y_hat, 0.9), np.array([1.8, 0.2, 0.0]), name="pinball_loss")
    # inputs broadcast: two predictions for one y, each with its own level
    loss = impl.pinball_loss(np.array([[1.0]]), np.array([[0.0, 5.0]]), np.array([0.25, 0.75]))
    assert_close(loss, np.array([[0.25, 1.0]]), name="pinball_loss of two levels")


@number("1.p2")
@weight(1)
@tags("pinball")
def test_pinball_subgradient_is_the_rise_of_the_loss(impl):
    """y = 3, tau = 0.9: from 1 to 1.5, the loss falls from 1.8 to 1.35: the slope is -0.9. A kink has the slope to its left."""
    slope = impl.pinball_subgradient(np.array([3.0, 1.0]), np.array([1.0, 3.0]), 0.9)
    assert_close(slope, np.array([(1.35 - 1.8) / 0.5, (0.25 - 0.2) / 0.5]), name="pinball_subgradient")
    # an exact prediction has the same slope as a prediction that is a little too low
    slope = impl.pinball_subgradient(np.array([2.0]), np.array([[2.0], [1.999]]), np.array([0.25]))
    assert_close(slope, np.array([[-0.25], [-0.25]]), name="pinball_subgradient of an exact prediction")


# Task 2


def slopes_by_hand(y, y_hat, tau):
    return np.where(y > -1, -0.75, 0.25)


@number("2.p1")
@weight(1)
@tags("quantile_regression")
def test_quantile_gradient_by_hand(impl):
    """Three rows have slopes -0.75, 0.25, -0.75, and X[:, 0] = (1, 2, 4). The gradient is -3.25 / 3 in w[0], and -1.25 / 3 in b."""
    # the last row is predicted exactly
    X, y = np.array([[1.0, 0.0], [2.0, 1.0], [4.0, -1.0]]), np.array([3.0, -1.0, 0.0])

    grad_w, grad_b = impl.quantile_gradient(X, y, np.zeros(2), 0.0, 0.75, subgradient=slopes_by_hand)

    assert_close(grad_w, np.array([-3.25 / 3, 1.0 / 3]), name="grad_w")
    assert_close(grad_b, -1.25 / 3, name="grad_b")


def distance(y, y_hat, tau):
    return np.abs(y - y_hat) / 2


def uphill_sign(X, y, w, b, tau):
    """The slopes of the mean of `distance` for one row with x = 0."""
    return np.zeros(1), 0.5 if b > y[0] else -0.5


@number("2.p2")
@weight(1)
@tags("quantile_regression")
def test_fit_quantile_regression_first_step_by_hand(impl):
    """One step with lr = 2 goes downhill: the gradient (-0.125, -0.25) gives w = 0.25 and b = 0.5."""
    X, y = np.array([[1.0], [2.0]]), np.array([3.0, -1.0])

    def gradient(X, y, w, b, tau):
        return np.array([-0.125]), -0.25

    def falling(y, y_hat, tau):  # the larger the prediction, the smaller this loss
        return -y_hat

    w, b = impl.fit_quantile_regression(X, y, 0.75, lr=2.0, n_steps=1, loss=falling, gradient=gradient)

    assert_close(w, np.array([0.25]), name="w")
    assert_close(b, 0.5, name="b")


@number("2.p3")
@weight(1)
@tags("quantile_regression")
def test_fit_quantile_regression_remembers_the_best_point(impl):
    """One row with y = 1 gives the path b = 0, 2, 0.586, 1.740. The best of these is 0.586; of 0 and 2, the earlier wins."""
    X, y = np.zeros((1, 1)), np.array([1.0])

    for n_steps, best in ((3, 2 - math.sqrt(2)), (2, 2 - math.sqrt(2)), (1, 0.0)):
        _, b = impl.fit_quantile_regression(X, y, 0.5, lr=4.0, n_steps=n_steps, loss=distance, gradient=uphill_sign)
        assert_close(b, best, name=f"b after {n_steps} steps")


# Task 3


@number("3.p1")
@weight(1)
@tags("conformal_quantile")
def test_conformal_rank_of_few_scores(impl):
    """For 9 scores, alpha = 0.2, 0.15, 0.1 and 0.05 give the ranks 8, 9, 9 and 10. For 4 scores, alpha = 0.7 gives rank 2."""
    for n, alpha, k in ((4, 0.7, 2), (9, 0.2, 8), (9, 0.15, 9), (9, 0.1, 9), (9, 0.05, 10)):
        assert_close(impl.conformal_rank(n, alpha), k, name=f"conformal_rank({n}, {alpha})")


@number("3.p2")
@weight(1)
@tags("conformal_quantile")
@pytest.mark.parametrize(("n", "alpha", "k"), [(9, 0.7, 3), (99, 0.45, 55), (99, 0.29, 71)])
def test_conformal_rank_is_not_rounded_up_by_floating_point(impl, n, alpha, k):
    """On paper, your formula gives a whole number here: 3 for n = 9 and alpha = 0.7, 55 for n = 99 and 0.45, 71 for n = 99 and 0.29."""
    assert_close(impl.conformal_rank(n, alpha), k, name="conformal_rank")


@number("3.p3")
@weight(1)
@tags("conformal_quantile")
def test_conformal_quantile_of_nine_scores(impl):
    """A finite threshold is one of the scores. For 10, 20, …, 90, rank 9 gives 90, rank 8 gives 80, and rank 10 gives +inf."""
    scores = np.array([40.0, 10.0, 90.0, 60.0, 20.0, 80.0, 30.0, 70.0, 50.0])
    # with leading axes, each row is a calibration; some scores of the second row are equal
    rows = np.stack([scores, np.maximum(scores, 40.0) + 5.0])

    for k, threshold, second in ((9, 90.0, 95.0), (8, 80.0, 85.0), (10, math.inf, math.inf)):

        def rank(n, alpha, k=k):
            return k

        got = assert_leaves_arguments(impl.conformal_quantile, scores, 0.3, rank=rank, name="conformal_quantile")
        assert np.isin(got, [*scores, math.inf]).all(), f"the threshold {got} is none of the nine scores"
        assert_close(got, threshold, name=f"the score at rank {k}")
        want = np.array([threshold, second])
        assert_close(impl.conformal_quantile(rows, 0.3, rank=rank), want, name=f"the scores at rank {k} of two rows")


# Task 4


def training_mean(X, y):
    return float(np.mean(y))


def constant(model, X):
    return np.full(len(X), model)


@number("4.p1")
@weight(1)
@tags("split_conformal")
def test_split_conformal_interval_by_hand(impl):
    """If the prediction is 2 and the threshold is 3, the interval is [-1, 5]."""
    X, y = np.zeros((4, 1)), np.array([1.0, 3.0, -1.0, 3.0])

    lower, upper = impl.split_conformal(
        lambda X, y: 2.0, constant, X, y, np.zeros((2, 1)), 0.3, n_train=2, quantile=lambda scores, alpha: 3.0
    )

    assert_close(lower, np.array([-1.0, -1.0]), name="lower")
    assert_close(upper, np.array([5.0, 5.0]), name="upper")


@number("4.p2")
@weight(1)
@tags("split_conformal")
def test_split_conformal_calibrates_on_fresh_rows(impl):
    """The first two rows have the mean y = 2. As a prediction, this mean is 3 too high for one later row, and 1 too low for the other."""
    X, y, asked = np.zeros((4, 1)), np.array([1.0, 3.0, -1.0, 3.0]), []

    def quantile(scores, alpha):
        asked.append([*sorted(float(score) for score in scores), alpha])
        return 0.0

    args = training_mean, constant, X, y, np.zeros((2, 1)), 0.3
    _, upper = assert_leaves_arguments(
        impl.split_conformal, *args, n_train=2, quantile=quantile, name="split_conformal"
    )

    assert_close(asked, [[1.0, 3.0, 0.3]], name="the scores and the alpha given to quantile")
    assert_close(upper, np.array([2.0, 2.0]), name="upper for a threshold of 0")


# Task 5


@number("5.p1")
@weight(1)
@tags("cqr")
def test_cqr_scores_by_hand(impl):
    """For the band [0, 4], y = 5, -2, 1 and 4 score 1, 2, -1 and 0. For the crossed band [4, 0], y = 1 scores 3."""
    y = np.array([5.0, -2.0, 1.0, 4.0])

    scores = impl.cqr_scores(y, np.zeros(4), np.full(4, 4.0))
    assert_close(scores, np.array([1.0, 2.0, -1.0, 0.0]), name="cqr_scores")
    # if its edges move outward by 3, the crossed band [4, 0] becomes [1, 3]
    scores = impl.cqr_scores(np.array([1.0]), np.array([4.0]), np.array([0.0]))
    assert_close(scores, np.array([3.0]), name="cqr_scores of a crossed band")


def given_scores(y, lower, upper):
    return np.zeros(len(y))


@number("5.p2")
@weight(1)
@tags("cqr")
@pytest.mark.parametrize(("q", "interval"), [(-2.0, (3.0, 7.0)), (0.5, (0.5, 9.5))])
def test_cqr_moves_the_band_by_hand(impl, q, interval):
    """A threshold of -2 makes the band [1, 9] narrower: [3, 7]. A threshold of 0.5 makes the band wider: [0.5, 9.5]."""
    X, y = np.zeros((5, 1)), np.array([0.0, 0.0, 4.0, 5.0, 7.0])

    def fit(X, y, tau):
        return 1.0 if tau < 0.5 else 9.0

    lower, upper = impl.cqr(
        fit, constant, X, y, np.zeros((1, 1)), 0.2, n_train=2, score=given_scores, quantile=lambda scores, alpha: q
    )

    assert_close(lower, np.array([interval[0]]), name="lower")
    assert_close(upper, np.array([interval[1]]), name="upper")


@number("5.p3")
@weight(1)
@tags("cqr")
def test_cqr_fits_and_calibrates_by_hand(impl):
    """At alpha = 0.2, the edges of the band are the 10% and the 90% quantile. Both models are fitted to the first two rows only."""
    X, y, fitted, scored, asked = np.zeros((5, 1)), np.array([0.0, 0.0, 4.0, 5.0, 7.0]), [], [], []

    def fit(X, y, tau):
        fitted.append((round(float(tau), 9), len(y)))
        return 1.0 if tau < 0.5 else 9.0

    def score(y, lower, upper):
        scored.append(sorted(float(value) for value in y))
        return np.zeros(len(y))

    def quantile(scores, alpha):
        asked.append(alpha)
        return 0.0

    lower, _ = impl.cqr(fit, constant, X, y, np.zeros((1, 1)), 0.2, n_train=2, score=score, quantile=quantile)

    assert_close(sorted(fitted), [(0.1, 2), (0.9, 2)], name="the levels and numbers of rows given to fit")
    assert_close(scored, [[4.0, 5.0, 7.0]], name="the y given to score")
    assert_close(asked, [0.2], name="the alpha given to quantile")
    assert_close(lower, np.array([1.0]), name="lower for a threshold of 0")


# Task 6. Sums of these probabilities are exact in floating point.


def probs():
    return np.array([[0.125, 0.5, 0.25, 0.125], [0.25, 0.25, 0.25, 0.25]])


@number("6.p1")
@weight(1)
@tags("label_sets")
def test_lac_sets_by_hand(impl):
    """Scores are 1 - p. At q = 0.5, the first row keeps the label with p = 0.5. The second row keeps none."""
    sets = impl.lac_sets(probs(), 0.5)
    assert_close(sets, np.array([[False, True, False, False], [False] * 4]), name="lac_sets")


@number("6.p2")
@weight(1)
@tags("label_sets")
def test_aps_scores_by_hand(impl):
    """A label's score is the mass before it in the ranking, plus its own p. Of equal labels, the smaller index ranks first."""
    want = np.array([[0.875, 0.5, 0.75, 1.0], [0.25, 0.5, 0.75, 1.0]])
    assert_close(impl.aps_scores(probs()), want, name="aps_scores")


@number("6.p3")
@weight(1)
@tags("label_sets")
def test_aps_scores_with_u_and_penalty_by_hand(impl):
    """u scales the label's own p only. Each rank beyond k_reg adds one penalty, whatever u is."""
    # the first row has u = 0, so p(y) does not count; the second row has u = 1/2
    u = np.array([0.0, 0.5])
    want = np.array([[0.75, 0.0, 0.5, 0.875], [0.125, 0.375, 0.625, 0.875]])
    assert_close(impl.aps_scores(probs(), u=u), want, name="aps_scores with u")
    # k_reg = 2: rank 3 costs one penalty, and rank 4 costs two
    want = np.array([[1.375, 0.5, 0.75, 2.0], [0.25, 0.5, 1.25, 2.0]])
    assert_close(impl.aps_scores(probs(), penalty=0.5, k_reg=2), want, name="aps_scores with penalty 0.5 beyond rank 2")
    want = np.array([[1.25, 0.0, 0.5, 1.875], [0.125, 0.375, 1.125, 1.875]])
    assert_close(impl.aps_scores(probs(), u=u, penalty=0.5, k_reg=2), want, name="aps_scores with u and a penalty")


@number("6.p4")
@weight(1)
@tags("label_sets")
def test_aps_sets_by_hand(impl):
    """With u, a set contains the labels that score q or less. Without u, the first label of the ranking with s >= q is in, too."""

    def scores(probs, u=None, **penalty):
        if len(probs) == 1:  # p = (1, 0)
            return np.array([[1.0, 1.0]])
        if u is None:
            return np.array([[0.875, 0.5, 0.75, 1.0], [0.25, 0.5, 0.75, 1.0]])
        return np.array([[0.75, 0.0, 0.5, 0.875], [0.125, 0.375, 0.625, 0.875]])

    # a score of 0.5 does not reach 0.6, and 0.75 does: two labels in the first row, three in the second
    want = np.array([[False, True, True, False], [True, True, True, False]])
    assert_close(impl.aps_sets(probs(), 0.6, score=scores), want, name="aps_sets at 0.6")
    assert_close(impl.aps_sets(probs(), 0.75, score=scores), want, name="aps_sets at 0.75")
    # the first label reaches 1; the other label has p = 0, scores 1 too, and is in the set
    sets = impl.aps_sets(np.array([[1.0, 0.0]]), 1.0, score=scores)
    assert_close(sets, np.array([[True, True]]), name="aps_sets of a label without probability")
    # with u: exactly the labels whose score is at most 0.6
    sets = impl.aps_sets(probs(), 0.6, u=np.array([0.0, 0.5]), score=scores)
    want = np.array([[False, True, True, False], [True, True, False, False]])
    assert_close(sets, want, name="aps_sets with u")


# Task 7


@number("7.p1")
@weight(1)
@tags("groups")
@pytest.mark.parametrize(("last", "thresholds"), [(2, (3.0, 5.0, 7.0)), (3, (3.0, 5.0, math.inf, 7.0))])
def test_group_quantiles_by_hand(impl, last, thresholds):
    """Group 0 has the scores 1 and 3, group 1 has 5, the last group has 7. A group without scores gets +inf."""
    scores, groups = np.array([1.0, 7.0, 3.0, 5.0]), np.array([0, last, 0, 1])

    def largest(scores, alpha):
        return float(max(scores, default=math.inf)) if alpha == 0.5 else math.nan

    got = impl.group_quantiles(scores, groups, 0.5, n_groups=last + 1, quantile=largest)
    assert_close(got, np.array(thresholds), name="group_quantiles")


# Task 8


@number("8.p1")
@weight(1)
@tags("coverage")
def test_interval_coverage_by_hand(impl):
    """3 of 5 rows are covered. The ends belong to the interval. An interval with upper < lower covers nothing."""
    y = np.array([0.0, 5.0, 2.0, 2.0, 4.0])
    lower, upper = np.array([0.0, 1.0, 3.0, 1.0, 3.0]), np.array([1.0, 4.0, 1.0, 3.0, 4.0])

    assert_close(impl.interval_coverage(y, lower, upper), 0.6, name="interval_coverage")


@number("8.p2")
@weight(1)
@tags("coverage")
def test_set_coverage_by_hand(impl):
    """One set of four contains the row's true label. An empty set contains no label."""
    sets = np.array([[True, True, False], [False, False, False], [False, True, False], [True, True, True]])

    assert_close(impl.set_coverage(sets, np.array([2, 0, 0, 0])), 0.25, name="set_coverage")


@number("8.p3")
@weight(1)
@tags("coverage")
def test_coverage_moments_by_hand(impl):
    """For n = k = 1, C is uniform. For n = k = 2, C has mean 2/3 and variance 1/18. For k = n + 1, C is 1 for certain."""
    assert_close(impl.coverage_moments(1, 1), (0.5, math.sqrt(1 / 12)), name="moments for n = 1")
    assert_close(impl.coverage_moments(2, 2), (2 / 3, math.sqrt(1 / 18)), name="moments for n = 2")
    # a threshold of +inf covers everything
    assert_close(impl.coverage_moments(8, 9), (1.0, 0.0), name="moments for an infinite threshold")


@number("8.p4")
@weight(1)
@tags("coverage")
def test_coverage_cdf_by_hand(impl):
    """For n = k = 9, P(C <= c) is c^9. For the middle of 2001 scores, P(C <= 1/2) is 1/2. For k = n + 1, P(C <= c) is 0 below c = 1."""
    c = np.array([0.0, 0.5, 0.9, 1.0])
    assert_close(impl.coverage_cdf(c, 9, 9), c**9, name="coverage_cdf for the largest of nine")
    # the middle one of 2001 is as often below one half as above
    assert_close(impl.coverage_cdf(np.array([0.5]), 2001, 1001), np.array([0.5]), rtol=1e-8, name="coverage_cdf for the middle one of 2001")
    # a threshold of +inf covers everything
    assert_close(impl.coverage_cdf(c, 8, 9), np.array([0.0, 0.0, 0.0, 1.0]), name="coverage_cdf at +inf")


# Task 9


@number("9.p1")
@weight(1)
@tags("online")
def test_adapt_level_by_hand(impl):
    """With alpha = 1/4 and gamma = 1/2, a miss lowers any level by 3/8 and a hit raises it by 1/8. No level is clipped."""
    change = impl.adapt_level(0.5, True, alpha=0.25, gamma=0.5) - 0.5
    assert_close(change, -0.375, name="the change of the level after a miss")
    change = impl.adapt_level(0.5, False, alpha=0.25, gamma=0.5) - 0.5
    assert_close(change, 0.125, name="the change of the level after a hit")
    # a level may leave [0, 1]
    level = impl.adapt_level(0.25, True, alpha=0.25, gamma=0.5)
    assert_close(level, -0.125, name="the unclipped level after a miss at level 1/4")
    level = impl.adapt_level(-0.125, False, alpha=0.25, gamma=0.5)
    assert_close(level, 0.0, name="the unclipped level after a hit at level -1/8")


@number("9.p2")
@weight(1)
@tags("online")
def test_online_rounds_by_hand(impl):
    """After the scores 3 and 4, the rounds have the scores 2, 5, 1, 4, 0: hit, miss, hit, hit, miss."""
    scores = np.array([3.0, 4.0, 2.0, 5.0, 1.0, 4.0, 0.0])

    def quantile(past, level):  # the second largest score if the level is above 0.3, otherwise the largest
        return float(sorted(past)[-2 if level > 0.3 else -1])

    def adapt(level, missed, *, alpha, gamma):
        return {0.25: 0.375, 0.375: -0.125, -0.125: 0.5, 0.5: 1.0, 1.0: 0.625}.get(level, alpha)

    thresholds, missed, levels = impl.adaptive_conformal(
        scores, 0.25, 0.5, n_start=2, quantile=quantile, adapt=adapt
    )

    assert_close(levels, np.array([0.25, 0.375, -0.125, 0.5, 1.0, 0.625]), name="levels")
    # level -1/8 gives +inf, and level 1 gives -inf
    assert_close(thresholds, np.array([4.0, 3.0, math.inf, 4.0, -math.inf]), name="thresholds")
    # in the fourth round, the score 4 equals the threshold: a hit
    assert_close(missed, np.array([False, True, False, False, True]), name="missed")
