"""Graded checks of the conformal assignment.

Each compares with the reference on random inputs, or holds the answer to an identity first and compares then. A function
that uses another one of the student's takes it as an argument and gets a right one here, so that each fault costs points
in one place.
"""

import math

import numpy as np
import pytest
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from gradescope_utils.autograder_utils.decorators import number, tags, weight

# A fair implementation fails a statistical check with at most this probability, for one seed.
P_FALSE = 1e-10


def integer_rank(n, percent):
    """ceil((n + 1)(1 - alpha)) for alpha = percent / 100, in whole numbers only."""
    return -((-(n + 1) * (100 - percent)) // 100)


def dyadic_probs(rng, n, K):
    """Distributions in multiples of 1/64: sums and differences are exact, and ties are common."""
    cuts = np.sort(rng.integers(0, 65, size=(n, K - 1)), axis=1)
    return np.diff(cuts, axis=1, prepend=0, append=64) / 64


def heteroscedastic(rng, n):
    """X (n, 2) and y (n,) whose spread grows with the first column."""
    X = rng.uniform(-1, 1, size=(n, 2))
    return X, X @ [1.0, -2.0] + (1.2 + X[:, 0]) * rng.normal(size=n)


# Task 1


@number("1.1")
@weight(2)
@tags("pinball")
@pytest.mark.parametrize("case", ["vector", "several_levels", "numbers", "integers"])
def test_pinball_loss_charges_tau_below_and_one_minus_tau_above(impl, agree, rng, case):
    """A prediction that is too low costs tau per unit, one too high 1 - tau, for each entry by itself."""
    y, y_hat = 3 * rng.normal(size=(2, 40))
    tau = rng.uniform(0.05, 0.45)
    if case == "several_levels":
        y, y_hat, tau = y[:, None], 3 * rng.normal(size=(40, 3)), rng.uniform(0.05, 0.95, size=3)
    elif case == "numbers":
        y, y_hat = float(y[0]), float(y_hat[0])
    elif case == "integers":
        y, y_hat = rng.integers(-3, 4, size=(2, 40))  # some are equal

    agree("pinball_loss", y, y_hat, tau)


@number("1.2")
@weight(2)
@tags("pinball")
@pytest.mark.parametrize("case", ["vector", "several_levels"])
def test_pinball_subgradient_is_the_slope_in_the_prediction(impl, agree, rng, case):
    """The slope says how the loss changes when the prediction is raised, for each entry and level."""
    y, y_hat, tau = *rng.normal(size=(2, 60)), rng.uniform(0.05, 0.45)  # no two are equal
    if case == "several_levels":
        y, y_hat, tau = y[:, None], rng.normal(size=(60, 4)), rng.uniform(0.05, 0.95, size=4)

    agree("pinball_subgradient", y, y_hat, tau)


@number("1.3")
@weight(1)
@tags("pinball")
@pytest.mark.parametrize("case", ["some_exact", "all_exact"])
def test_pinball_subgradient_of_an_exact_prediction(impl, agree, rng, case):
    """Where y = y_hat, the slope is that of predictions a little too low."""
    y, y_hat = rng.integers(-4, 5, size=(2, 60)) / 2  # halves: one pair in nine or so is equal
    if case == "all_exact":
        y_hat = y.copy()

    agree("pinball_subgradient", y, y_hat, float(rng.uniform(0.05, 0.45)))


@number("1.4")
@weight(1)
@tags("pinball")
def test_pinball_minimizer_is_the_sample_quantile(impl, reference, rng):
    """Of all constants, the one with the lowest total pinball loss is the sample's tau-quantile."""
    values = np.unique(rng.normal(size=17))

    for tau in rng.uniform(0.02, 0.98, size=4):
        loss = impl.pinball_loss(values[:, None], values, tau)  # row: truth, column: constant
        # n tau is whole with probability 0, so the minimizer is unique: the ceil(n tau)-th smallest
        assert values[np.argmin(loss.sum(axis=0))] == np.quantile(values, tau, method="inverted_cdf")
        assert_close(loss, reference.pinball_loss(values[:, None], values, tau))


@number("1.5")
@weight(1)
@tags("pinball")
@pytest.mark.parametrize("function", ["pinball_loss", "pinball_subgradient"])
def test_pinball_leaves_its_arguments_alone(impl, reference, rng, function):
    """The arrays that are handed in are the same after the call."""
    args = rng.normal(size=20), rng.normal(size=20), rng.uniform(0.1, 0.9, size=20)

    got = assert_leaves_arguments(getattr(impl, function), *args, name=function)
    assert_close(got, getattr(reference, function)(*args))


# Task 2. The submission gets these in place of its own; how often it calls them is free.


def worked_loss(y, y_hat, tau):
    return np.maximum(tau * (y - y_hat), (tau - 1) * (y - y_hat))


def worked_subgradient(y, y_hat, tau):
    return np.where(y >= y_hat, -tau, 1 - tau)


def worked_gradient(X, y, w, b, tau):
    slope = worked_subgradient(y, X @ w + b, tau)
    return slope @ X / len(X), float(slope.mean())


worked_loss.unrecorded = worked_subgradient.unrecorded = worked_gradient.unrecorded = True
WORKED = {"loss": worked_loss, "gradient": worked_gradient}


@number("2.1")
@weight(2)
@tags("quantile_regression")
@pytest.mark.parametrize("case", ["one_column", "many_columns", "one_row", "no_columns", "exact_rows"])
def test_quantile_gradient_averages_over_examples(impl, agree, rng, case):
    """The gradient is that of the mean loss, in the weights and in the intercept."""
    n = 1 if case == "one_row" else int(rng.integers(20, 40))
    d = {"one_column": 1, "no_columns": 0}.get(case, 4)
    X, y = rng.normal(size=(n, d)), rng.normal(size=n)
    w, b, tau = rng.normal(size=d), float(rng.normal()), float(rng.uniform(0.05, 0.95))
    if case == "exact_rows":
        # halves are exact in floating point, so these rows are predicted exactly
        X, w, b = rng.integers(-3, 4, size=(n, d)) / 2, rng.integers(-3, 4, size=d) / 2, 0.5
        y = X @ w + b + np.where(np.arange(n) % 2, 0.0, y)

    agree("quantile_gradient", X, y, w, b, tau, subgradient=worked_subgradient)


@number("2.2")
@weight(2)
@tags("quantile_regression")
@pytest.mark.parametrize("tau", [0.05, 0.5, 0.9])
def test_fit_quantile_regression_takes_the_subgradient_path(impl, agree, rng, tau):
    """The fit follows the stated steps from zero, with both the weights and the intercept moving."""
    n, d = int(rng.integers(20, 40)), int(rng.integers(1, 4))
    X = rng.normal(size=(n, d))
    # far below zero, so that the path leads away from the start and the start is the highest point on it
    y = X @ rng.normal(size=d) - 2 + rng.normal(size=n)
    lr = float(rng.uniform(0.4, 0.7))

    def fits(impl, X, y):
        return [impl.fit_quantile_regression(X, y, tau, lr=lr, n_steps=n_steps, **WORKED) for n_steps in (1, 4, 15)]

    agree(fits, X, y)


def path_of_predictions(X, y, tau, lr, n_steps):
    """What the model predicts at the start and after each step."""
    w, b, path = np.zeros(X.shape[1]), 0.0, []
    for t in range(1, n_steps + 2):
        path.append(X @ w + b)
        grad_w, grad_b = worked_gradient(X, y, w, b, tau)
        w, b = w - lr / math.sqrt(t) * grad_w, b - lr / math.sqrt(t) * grad_b
    return path


@number("2.3")
@weight(3)
@tags("quantile_regression")
@pytest.mark.parametrize("case", ["long_steps", "start_is_best_once", "no_steps_once", "short_steps"])
def test_fit_quantile_regression_keeps_the_best_iterate(impl, rng, case):
    """A subgradient step may go uphill, so what is returned is the best point met, the start included."""
    X, y, tau = rng.normal(size=(30, 2)), 1 + rng.normal(size=30), float(rng.uniform(0.2, 0.8))
    met = []

    def loss(y, y_hat, tau):
        met.extend(np.atleast_2d(y_hat))
        return worked_loss(y, y_hat, tau)

    loss.unrecorded = True
    fits = [(y, lr, n_steps) for lr in (3.0, 6.0) for n_steps in (7, 16)]  # so long a step overshoots, time and again
    if case == "start_is_best_once":
        fits.append((1e-3 * y, 6.0, 9))
    elif case == "no_steps_once":
        fits.append((y, 6.0, 0))
    elif case == "short_steps":
        fits = [(y, 0.02, n_steps) for n_steps in (3, 8)]  # all of them downhill
    for truth, lr, n_steps in fits:
        # where the last point is the best, a fit need not ask for losses to be right
        met[:] = path_of_predictions(X, truth, tau, lr, n_steps if case == "short_steps" else 0)
        w, b = impl.fit_quantile_regression(X, truth, tau, lr=lr, n_steps=n_steps, loss=loss, gradient=worked_gradient)

        # of the points on its own path; whether the path is right is for the check before
        best = min(met, key=lambda y_hat: worked_loss(truth, y_hat, tau).mean())
        assert_close(X @ w + b, best, name="predictions of the returned model")


@number("2.4")
@weight(1)
@tags("quantile_regression")
@pytest.mark.parametrize("function", ["quantile_gradient", "fit_quantile_regression"])
def test_quantile_regression_leaves_its_arguments_alone(impl, reference, rng, function):
    """The arrays that are handed in are the same after the call."""
    X, y, w = rng.normal(size=(12, 2)), 3 + rng.normal(size=12), rng.normal(size=2)
    args, kwargs = ((X, y, w, 0.5, 0.3), {}) if function == "quantile_gradient" else ((X, y, 0.3), {"n_steps": 3})
    lent = {"subgradient": worked_subgradient} if function == "quantile_gradient" else WORKED

    got = assert_leaves_arguments(getattr(impl, function), *args, **kwargs, **lent, name=function)
    assert_close(got, getattr(reference, function)(*args, **kwargs))


# Task 3


def ranks(impl, pairs):
    return [impl.conformal_rank(n, percent / 100) for n, percent in pairs]


@number("3.1")
@weight(3)
@tags("conformal_quantile")
@pytest.mark.parametrize("case", ["small_n", "tiny_and_huge_alpha"])
def test_conformal_rank_is_the_smallest_that_keeps_the_promise(impl, agree, rng, case):
    """The rank is the smallest at which a new score is covered with probability at least 1 - alpha."""
    if case == "small_n":
        pairs = [(n, int(percent)) for n in range(61) for percent in rng.integers(1, 42, size=2)]
    else:
        pairs = [(n, p) for n in (0, 1, 98, 99, 100, 1000) for p in (1, 99)]

    agree(ranks, pairs)


@number("3.2")
@weight(2)
@tags("conformal_quantile")
def test_conformal_rank_survives_floating_point(impl, agree, rng):
    """Where the decimals give a whole number, floating point must not push it over to the next."""
    # every pair up to 60, and at 99, at which plain floating point rounds up wrongly in one of two forms, and some more
    wrong = [
        (n, p)
        for n in (*range(61), 99)
        for p in range(1, 100)
        if {math.ceil((n + 1) * (1 - p / 100)), n + 1 - math.floor((n + 1) * (p / 100))} != {integer_rank(n, p)}
    ]
    pairs = wrong + [(99, int(p)) for p in rng.integers(1, 100, size=40)]

    agree(ranks, pairs)


@number("3.3")
@weight(2)
@tags("conformal_quantile")
@pytest.mark.parametrize("n", [1, 2, 9, 10, 19, 20, 37, 50, 60])
def test_conformal_quantile_is_an_order_statistic(impl, agree, rng, reference, n):
    """The threshold is one of the scores, the k-th smallest, and infinite when there is no k-th."""
    scores = rng.exponential(size=n)
    largest = math.ceil(100 / (n + 1))  # the percent at which the rank is n
    percents = [largest, *(int(p) for p in rng.integers(1, 100, size=8))]

    def thresholds(impl, scores, percents):
        return [impl.conformal_quantile(scores, p / 100, rank=reference.conformal_rank) for p in percents]

    agree(thresholds, scores, percents)


@number("3.4")
@weight(2)
@tags("conformal_quantile")
@pytest.mark.parametrize("percent", [10, 45, 80])
def test_conformal_quantile_counts_tied_scores_one_by_one(impl, agree, rng, reference, percent):
    """Three equal scores are three scores; infinite scores are scores too, and the largest."""
    scores = rng.integers(0, 6, size=(30, 23)) ** 2.0
    scores[::3, :4] = np.inf

    agree("conformal_quantile", scores, 0.05, rank=reference.conformal_rank)  # the largest of 23
    agree("conformal_quantile", scores, percent / 100, rank=reference.conformal_rank)


@number("3.5")
@weight(2)
@tags("conformal_quantile")
@pytest.mark.parametrize("shape", [(0,), (8,), (3, 0), (2, 3, 8)], ids=str)
def test_conformal_quantile_is_infinite_when_scores_are_too_few(impl, agree, rng, reference, shape):
    """With fewer than (1 - alpha) / alpha scores no finite threshold is safe, for each leading dimension."""
    scores = rng.normal(size=shape)

    # at alpha = 0.1, nine scores are needed; at 0.3, three
    agree("conformal_quantile", scores, 0.1, rank=reference.conformal_rank)
    agree("conformal_quantile", scores, 0.3, rank=reference.conformal_rank)


@number("3.6")
@weight(1)
@tags("conformal_quantile")
def test_average_coverage_is_what_exchangeability_promises(impl, reference, rng):
    """Over many calibrations, a new exchangeable score is at or below the threshold k times in n + 1."""
    n, trials = 10, 8000
    scores = rng.normal(size=(n + 1, trials)).T  # not contiguous
    q = impl.conformal_quantile(scores[:, :n], 0.1)

    covered = np.mean(scores[:, n] <= q)
    # Hoeffding: trials are independent, each covers with probability exactly 10/11 = 0.909 (k = 10).
    # The bound is 0.039; rank ceil(n (1 - alpha)) = 9 would cover 0.818.
    assert abs(covered - 10 / 11) < math.sqrt(math.log(2 / P_FALSE) / (2 * trials))
    assert_close(q, reference.conformal_quantile(scores[:, :n], 0.1))


@number("3.7")
@weight(1)
@tags("conformal_quantile")
def test_conformal_quantile_leaves_the_scores_alone(impl, reference, rng):
    """The scores that are handed in are in the same order after the call."""
    for scores in (rng.normal(size=15), rng.normal(size=(3, 12))):
        lent = {"rank": reference.conformal_rank}
        got = assert_leaves_arguments(impl.conformal_quantile, scores, 0.2, **lent, name="conformal_quantile")
        assert_close(got, reference.conformal_quantile(scores, 0.2))


# Task 4. Each check looks at one step: what is fitted, what is scored, what becomes of the threshold.


def least_squares(X, y):
    """Coefficients of the least-squares plane, intercept last."""
    return np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]


def plane(model, X):
    return np.asarray(X) @ model[:-1] + model[-1]


def known_plane(X, y):
    """A model that does not depend on the rows it is fitted to."""
    return np.array([1.0, -2.0, 0.25])


def zero(scores, alpha):
    return 0.0


@number("4.1")
@weight(2)
@tags("split_conformal")
@pytest.mark.parametrize("n_train", [1, 12, 29])
def test_split_conformal_fits_once_to_the_training_rows(impl, agree, rng, n_train):
    """The model is fitted once, to the first n_train rows and to no other."""
    X, y = heteroscedastic(rng, 30)

    def fitted(impl, X, y):
        fits = []

        def fit(X, y):
            fits.append((X, y))
            return known_plane(X, y)

        # the intervals don't depend on the threshold 0 or on the fit; they are compared all the same
        out = impl.split_conformal(fit, plane, X, y, X[:3], 0.2, n_train=n_train, quantile=zero)
        return out, fits

    agree(fitted, X, y)


@number("4.2")
@weight(2)
@tags("split_conformal")
@pytest.mark.parametrize("n_train", [6, 31])
def test_split_conformal_scores_every_calibration_row(impl, agree, rng, reference, n_train):
    """`quantile` gets the absolute error of each row after n_train, and alpha."""
    X, y = heteroscedastic(rng, 40)
    alpha = float(rng.uniform(0.05, 0.5))

    def scored(impl, X, y):
        thresholds = []

        def quantile(scores, alpha):
            thresholds.append((np.sort(np.asarray(scores).ravel()), alpha))
            return 0.0

        out = impl.split_conformal(known_plane, plane, X, y, X[:3], alpha, n_train=n_train, quantile=quantile)
        return out, thresholds

    agree(scored, X, y)


@number("4.3")
@weight(2)
@tags("split_conformal")
@pytest.mark.parametrize("q", [0.4, 2.5])
def test_split_conformal_reaches_the_threshold_on_either_side(impl, agree, rng, q):
    """The interval of a test row lies around its prediction and is twice the threshold wide."""
    X, y = heteroscedastic(rng, 20)

    def intervals(impl, X, y, X_test):
        return impl.split_conformal(
            known_plane, plane, X, y, X_test, 0.2, n_train=9, quantile=lambda scores, alpha: q
        )

    agree(intervals, X, y, rng.uniform(-1, 1, size=(7, 2)))


@number("4.4")
@weight(1)
@tags("split_conformal")
@pytest.mark.parametrize("n_cal", [0, 5])
def test_split_conformal_is_unbounded_where_calibration_rows_are_too_few(impl, reference, rng, n_cal):
    """An infinite threshold gives the whole line: still an honest answer. Nothing handed in is changed."""
    X, y = heteroscedastic(rng, 20)
    args = least_squares, plane, X, y, X[:4], 0.1
    kwargs = {"n_train": 20 - n_cal, "quantile": lambda scores, alpha: np.inf}

    got = assert_leaves_arguments(impl.split_conformal, *args, **kwargs, name="split_conformal")
    assert_close(got, reference.split_conformal(*args, **kwargs))


# Task 5. As in Task 4, a step for each check.


def edges(X, y, tau):
    """A stand-in for a quantile model, with one model below the median and one above it."""
    return -1.0 if tau < 0.5 else 1.0


def signed(y, lower, upper):
    return np.maximum(np.subtract(lower, y), np.subtract(y, upper))


def band_predict(model, X):
    return np.asarray(X) @ [1.0, -2.0] + 0.8 * model * (1.3 + np.asarray(X)[:, 0])


@number("5.1")
@weight(2)
@tags("cqr")
@pytest.mark.parametrize("case", ["mixed", "all_inside", "some_on_the_edge", "crossed"])
def test_cqr_scores_say_how_far_the_edges_must_move(impl, agree, rng, case):
    """Outside the band the score is the distance to it; inside, it is negative."""
    y, middle = rng.normal(size=(2, 30))
    half = rng.uniform(0.1, 1.5, size=30)
    if case == "all_inside":
        middle, half = y + 0.3 * half, half + 1.0
    elif case == "crossed":
        half = -half
    lower, upper = middle - half, middle + half
    if case == "some_on_the_edge":
        y[::3], y[1::3] = lower[::3], upper[1::3]

    agree("cqr_scores", y, lower, upper)


@number("5.2")
@weight(2)
@tags("cqr")
@pytest.mark.parametrize("n_train", [12, 27])
def test_cqr_fits_the_two_outer_quantiles_on_training_rows(impl, agree, rng, n_train):
    """Both tails share alpha: the levels fitted are alpha/2 and 1 - alpha/2, on the first n_train rows."""
    X, y = heteroscedastic(rng, 40)
    alpha = float(rng.uniform(0.1, 0.5))

    def fitted(impl, X, y):
        fits = []

        def fit(X, y, tau):
            fits.append((float(tau), X, y))
            return edges(X, y, tau)

        out = impl.cqr(fit, band_predict, X, y, X[:5], alpha, n_train=n_train, score=signed, quantile=zero)
        return out, sorted(fits, key=lambda fit: fit[0])

    agree(fitted, X, y)


@number("5.3")
@weight(2)
@tags("cqr")
@pytest.mark.parametrize("n_train", [12, 27])
def test_cqr_scores_every_calibration_row_against_its_band(impl, agree, rng, n_train):
    """`quantile` gets one score for each row after n_train, and alpha."""
    X, y = heteroscedastic(rng, 40)
    alpha = float(rng.uniform(0.1, 0.5))

    def scored(impl, X, y):
        thresholds = []

        def quantile(scores, alpha):
            thresholds.append((np.sort(np.asarray(scores).ravel()), alpha))
            return 0.0

        out = impl.cqr(edges, band_predict, X, y, X[:5], alpha, n_train=n_train, score=signed, quantile=quantile)
        return out, thresholds

    agree(scored, X, y)


@number("5.4")
@weight(2)
@tags("cqr")
@pytest.mark.parametrize("q", [0.7, -0.4, -9.0, math.inf])
def test_cqr_moves_both_edges_by_the_threshold(impl, agree, rng, q):
    """A band that is too narrow grows and one that is too wide shrinks, by the same amount on either side."""
    X, y = heteroscedastic(rng, 30)

    def intervals(impl, X, y, X_test):
        return impl.cqr(
            edges, band_predict, X, y, X_test, 0.1, n_train=20, score=signed, quantile=lambda scores, alpha: q
        )

    agree(intervals, X, y, rng.uniform(-1, 1, size=(6, 2)))


@number("5.5")
@weight(1)
@tags("cqr")
@pytest.mark.parametrize("function", ["cqr_scores", "cqr"])
def test_cqr_leaves_its_arguments_alone(impl, reference, rng, function):
    """The arrays that are handed in are the same after the call."""
    X, y = heteroscedastic(rng, 30)
    if function == "cqr_scores":
        args, lent = (y, y + 0.5 + rng.uniform(size=30), y + 2.0), {}  # all below their bands
    else:
        args, lent = (edges, band_predict, X, y, X[:6], 0.2), {"score": signed, "quantile": zero, "n_train": 20}

    got = assert_leaves_arguments(getattr(impl, function), *args, **lent, name=function)
    assert_close(got, getattr(reference, function)(*args, **lent))


# Task 6


@number("6.1")
@weight(2)
@tags("label_sets")
@pytest.mark.parametrize("case", ["random", "threshold_on_a_score", "infinite", "no_label_fits"])
def test_lac_takes_labels_whose_score_is_at_most_the_threshold(impl, agree, rng, case):
    """LAC keeps every label that scores q or less, and perhaps none."""
    probs = dyadic_probs(rng, 25, 5)
    q = {"random": 0.7 + 1 / 300, "infinite": math.inf}.get(case)
    if case == "threshold_on_a_score":
        q = float(1 - np.sort(probs, axis=1)[3, -2])
    elif case == "no_label_fits":
        probs[::2] = 0.2
        probs[1] = np.eye(5)[3]
        q = 0.3  # nothing fits in every other row

    agree("lac_sets", probs, q)


@number("6.2")
@weight(2)
@tags("label_sets")
@pytest.mark.parametrize("case", ["random", "equal_probabilities", "zeros", "one_label", "no_rows"])
def test_aps_scores_sum_from_the_most_probable_label(impl, agree, rng, case):
    """A label's score is the probability of the labels ranked before it plus its own, in label order."""
    probs = rng.dirichlet(np.ones(6), size=20)
    if case == "equal_probabilities":
        probs = dyadic_probs(rng, 20, 4)
        probs[::2] = 0.25
    elif case == "zeros":
        probs[:, 2] = 0
        probs /= probs.sum(axis=1, keepdims=True)
    elif case == "one_label":
        agree("aps_scores", np.ones((4, 1)))
    elif case == "no_rows":
        agree("aps_scores", probs[:0])

    agree("aps_scores", probs)


@number("6.3")
@weight(2)
@tags("label_sets")
def test_aps_scores_of_random_labels_are_uniform(impl, reference, rng):
    """With u, a label drawn from the row's own probabilities has a score that is uniform on [0, 1]."""
    N, K = 3000, 4
    probs = rng.dirichlet(np.ones(K), size=N)
    u = rng.uniform(size=N)
    labels = np.minimum((np.cumsum(probs, axis=1) < rng.uniform(size=(N, 1))).sum(axis=1), K - 1)

    scores = impl.aps_scores(probs, u=u)
    drawn = np.sort(scores[np.arange(N), labels])
    # Dvoretzky-Kiefer-Wolfowitz, Massart's constant: the empirical distribution is within this of its law
    bound = math.sqrt(math.log(2 / P_FALSE) / (2 * N))
    assert np.max(np.abs(drawn - (np.arange(N) + 0.5) / N)) < bound + 0.5 / N
    assert_close(scores, reference.aps_scores(probs, u=u))


@number("6.4")
@weight(2)
@tags("label_sets")
@pytest.mark.parametrize("k_reg", [0, 1, 3])
def test_raps_penalizes_ranks_beyond_k_reg(impl, agree, rng, k_reg):
    """Each rank beyond k_reg adds one whole penalty to the score, with u and without."""
    probs = rng.dirichlet(np.ones(6), size=30)
    u, penalty = rng.uniform(size=30), float(rng.uniform(0.05, 0.3))

    if k_reg != 1:
        agree("aps_scores", probs, penalty=penalty, k_reg=k_reg)
    if k_reg != 0:
        agree("aps_scores", probs, u=u, penalty=penalty, k_reg=k_reg)


@number("6.5")
@weight(3)
@tags("label_sets")
@pytest.mark.parametrize("case", ["random", "reached_exactly", "equal", "no_probability", "tiny", "infinite", "penalty"])
def test_aps_sets_take_the_label_that_crosses(impl, rng, reference, case):
    """Without u a set holds every label that scores at most q and the one that reaches q, so it is never empty."""
    probs, q, options = rng.dirichlet(np.full(6, 0.5), size=40), float(0.6 + rng.uniform() / 5), {}
    q = {"tiny": 1e-12, "infinite": math.inf}.get(case, q)
    if case == "reached_exactly":
        # halves and quarters: 0.75 is reached exactly by two labels or three
        probs, q = rng.permuted(np.tile([0.5, 0.25, 0.125, 0.125], (40, 1)), axis=1), 0.75
    elif case == "equal":
        probs, q = rng.permuted(np.tile([0.5, 0.125, 0.125, 0.125, 0.125], (40, 1)), axis=1), 0.7
    elif case == "no_probability":
        # labels without probability score what the label before them does: 1, for which the mass was enough
        probs, q = rng.permuted(np.tile([0.75, 0.25, 0, 0, 0], (40, 1)), axis=1), 1.0
        probs[::4] = np.eye(5)[rng.integers(0, 5, size=10)]
    elif case == "penalty":
        options = {"penalty": 0.1, "k_reg": 2}

    sets = impl.aps_sets(probs, q, **options, score=reference.aps_scores)
    assert sets.any(axis=1).all()
    assert sets[reference.aps_scores(probs, **options) <= q].all()  # what the guarantee rests on
    assert_close(sets, reference.aps_sets(probs, q, **options))


@number("6.6")
@weight(1)
@tags("label_sets")
@pytest.mark.parametrize("case", ["random", "threshold_on_a_score", "penalty"])
def test_randomized_aps_sets_compare_scores_with_the_threshold(impl, agree, rng, reference, case):
    """With u a label is in exactly if its own score is at most q, so some sets are empty."""
    probs, u, options = rng.dirichlet(np.full(5, 0.3), size=60), rng.uniform(size=60), {}
    q = 0.6
    if case == "threshold_on_a_score":
        # sums of multiples of 1/64 and of their quarters are exact
        probs, u, q = dyadic_probs(rng, 60, 5), rng.integers(0, 5, size=60) / 4, 0.5
    elif case == "penalty":
        options = {"penalty": 0.2, "k_reg": 1}

    agree("aps_sets", probs, q, u=u, **options, score=reference.aps_scores)


@number("6.7")
@weight(1)
@tags("label_sets")
@pytest.mark.parametrize("function", ["lac_sets", "aps_scores", "aps_sets"])
def test_label_sets_leave_their_arguments_alone(impl, reference, rng, function):
    """The arrays that are handed in are the same after the call."""
    probs, u = rng.dirichlet(np.ones(5), size=12), rng.uniform(size=12)
    args = (probs,) if function == "aps_scores" else (probs, 0.6)
    kwargs = {} if function == "lac_sets" else {"u": u}
    lent = {"score": reference.aps_scores} if function == "aps_sets" else {}

    got = assert_leaves_arguments(getattr(impl, function), *args, **kwargs, **lent, name=function)
    assert_close(got, getattr(reference, function)(*args, **kwargs))


# Task 7


@number("7.1")
@weight(2)
@tags("groups")
@pytest.mark.parametrize("case", ["uneven", "an_empty_group", "one_group", "nothing"])
def test_group_quantiles_rank_within_each_group(impl, agree, rng, reference, case):
    """A group's threshold comes from its own scores, with its own number of them."""
    n_groups = {"one_group": 1, "an_empty_group": 5}.get(case, 3)
    n = 0 if case == "nothing" else 70
    groups = rng.integers(0, n_groups, size=n)
    if case == "an_empty_group":
        groups[groups == 2] = 4
    elif case == "uneven":
        groups[:] = rng.choice(3, size=n, p=[0.7, 0.2, 0.1])
    scores = rng.exponential(size=n) * (1.0 + groups)

    def thresholds(impl, scores, groups, alpha):
        return impl.group_quantiles(
            scores, groups, alpha, n_groups=n_groups, quantile=reference.conformal_quantile
        )

    agree(thresholds, scores, groups, 0.2)
    agree(thresholds, scores, groups, 0.08)  # needs 12 scores in a group for a finite threshold


@number("7.2")
@weight(1)
@tags("groups")
def test_group_thresholds_ignore_other_groups(impl, rng, reference):
    """Changing or dropping another group's scores leaves a group's threshold as it was."""
    groups = rng.permutation(np.repeat([0, 1], 30))
    scores = rng.exponential(size=60)
    larger = np.where(groups == 1, 100 * scores, scores)

    def thresholds(impl, scores, groups):
        return impl.group_quantiles(scores, groups, 0.1, n_groups=2, quantile=reference.conformal_quantile)

    before = thresholds(impl, scores, groups)
    after = thresholds(impl, larger, groups)
    alone = thresholds(impl, scores[groups == 0], groups[groups == 0])
    assert before[0] == after[0] == alone[0]
    assert_close(before, thresholds(reference, scores, groups))


@number("7.3")
@weight(1)
@tags("groups")
def test_group_quantiles_leave_their_arguments_alone(impl, reference, rng):
    """The scores and groups that are handed in are the same after the call."""
    args, lent = (rng.exponential(size=40), rng.integers(0, 2, size=40), 0.2), {"quantile": reference.conformal_quantile}

    got = assert_leaves_arguments(impl.group_quantiles, *args, n_groups=2, **lent, name="group_quantiles")
    assert_close(got, reference.group_quantiles(*args, n_groups=2))


# Task 8


@number("8.1")
@weight(1)
@tags("coverage")
@pytest.mark.parametrize("case", ["random", "on_the_ends", "crossed", "unbounded"])
def test_interval_coverage_is_a_share_of_rows(impl, agree, rng, case):
    """Coverage is the share of y in closed intervals; a crossed interval covers nothing."""
    m = 31
    y, middle = rng.normal(size=(2, m))
    half = 0.5 + rng.exponential(size=m)
    y[0] = middle[0]  # at least one is covered
    if case == "crossed":
        half[1::2] *= -1
    lower, upper = middle - half, middle + half
    if case == "on_the_ends":
        y = np.where(np.arange(m) % 2, lower, upper)
    elif case == "unbounded":
        lower[3], upper[4] = -np.inf, np.inf

    agree("interval_coverage", y, lower, upper)


@number("8.2")
@weight(1)
@tags("coverage")
@pytest.mark.parametrize("density", [0.3, 0.5, 0.9])
def test_set_coverage_looks_up_the_true_label(impl, agree, rng, density):
    """Coverage looks up each row's own label."""
    sets = rng.uniform(size=(45, 6)) < density
    labels = rng.integers(0, 6, size=45)

    agree("set_coverage", sets, labels)


@number("8.3")
@weight(2)
@tags("coverage")
@pytest.mark.parametrize("case", ["small", "largest", "infinite_threshold", "thousands"])
def test_coverage_moments_are_those_of_the_law(impl, agree, rng, case):
    """Over calibration sets, coverage has the mean and the spread of its Beta law."""
    n = 4000 if case == "thousands" else int(rng.integers(5, 40))
    k = {"infinite_threshold": n + 1, "largest": n}.get(case)

    agree("coverage_moments", n, k or int(rng.integers(math.ceil(0.6 * n), int(0.9 * n) + 1)))


@number("8.4")
@weight(2)
@tags("coverage")
@pytest.mark.parametrize("case", ["small", "infinite_threshold", "ends", "thousands"])
def test_coverage_law_is_beta(impl, agree, rng, case):
    """Over calibration sets, coverage follows its Beta law, for numbers and arrays and from one score to thousands."""
    n = 4000 if case == "thousands" else int(rng.integers(5, 40))
    k = n + 1 if case == "infinite_threshold" else int(rng.integers(math.ceil(0.6 * n), int(0.9 * n) + 1))
    c = rng.uniform(size=(3, 5))
    if case == "ends":
        c = np.array([0.0, 1.0, 0.5])
    elif case == "infinite_threshold":
        c = np.array([0.3, 1.0, 0.999])
    elif case == "thousands":
        mean, std = k / (n + 1), math.sqrt(k * (n + 1 - k) / (n + 1) ** 2 / (n + 2))
        c = np.clip(mean + std * rng.normal(size=12), 0, 1)  # where the law varies

    # lgamma(4000) is 29000, so each term carries a relative error of some 1e-11
    agree("coverage_cdf", c, n, k, tol=(1e-8, 1e-10) if case == "thousands" else None)


@number("8.5")
@weight(1)
@tags("coverage")
@pytest.mark.parametrize(("n", "alpha"), [(9, 0.1), (50, 0.1), (50, 0.3)])
def test_coverage_law_is_that_of_simulated_calibrations(impl, rng, reference, n, alpha):
    """For uniform scores coverage is the threshold itself: over many calibrations it follows that law."""
    k, trials = reference.conformal_rank(n, alpha), 4000
    coverage = np.sort(reference.conformal_quantile(rng.uniform(size=(trials, n)), alpha))

    cdf = impl.coverage_cdf(coverage, n, k)
    # Dvoretzky-Kiefer-Wolfowitz with Massart's constant
    bound = math.sqrt(math.log(2 / P_FALSE) / (2 * trials))
    assert np.max(np.abs(cdf - (np.arange(trials) + 0.5) / trials)) < bound + 0.5 / trials
    assert_close(cdf, reference.coverage_cdf(coverage, n, k))


@number("8.6")
@weight(1)
@tags("coverage")
@pytest.mark.parametrize("function", ["interval_coverage", "set_coverage", "coverage_cdf"])
def test_coverage_leaves_its_arguments_alone(impl, reference, rng, function):
    """The arrays that are handed in are the same after the call."""
    y = rng.normal(size=20)
    args = {
        "interval_coverage": (y, y - 0.5 + (np.arange(20) > 12), y + 3.0),
        "set_coverage": (np.eye(5, dtype=bool)[rng.permutation(np.arange(20) % 5)], np.arange(20) % 5),
        "coverage_cdf": (rng.uniform(0.3, 0.7, size=4), 7, 4),
    }[function]
    if function == "set_coverage":
        args[0][:4, :] = True

    got = assert_leaves_arguments(getattr(impl, function), *args, name=function)
    assert_close(got, getattr(reference, function)(*args))


# Task 9


@number("9.1")
@weight(2)
@tags("online")
@pytest.mark.parametrize("missed", [False, True], ids=["hit", "miss"])
def test_adapt_level_falls_after_a_miss_and_rises_after_a_hit(impl, agree, rng, missed):
    """A miss lowers the level, a hit raises it, by steps that cancel at a share alpha of misses, in or out of [0, 1]."""
    for level in (0.1, -0.2, 0.98, 1.3, float(rng.uniform())):
        alpha, gamma = float(rng.uniform(0.05, 0.4)), float(rng.uniform(0.01, 0.5))
        agree("adapt_level", level, missed, alpha=alpha, gamma=gamma)


@number("9.2")
@weight(3)
@tags("online")
@pytest.mark.parametrize("stream", ["steady", "jump", "ties", "no_start", "no_rounds"])
def test_adaptive_conformal_sees_only_the_past(impl, agree, rng, reference, stream):
    """Each threshold uses the scores before its round and that round's level; only then the level moves."""
    scores, n_start = rng.exponential(size=60), 12
    # random, so that no level is 0 or 1 up to rounding
    gamma = {"jump": 0.2, "ties": 0.3, "no_start": 0.4}.get(stream, 0.05) * float(rng.uniform(0.9, 1.1))
    if stream == "jump":
        scores[30:] *= 10
    elif stream == "ties":
        scores = rng.integers(0, 3, size=60) * 1.0
    elif stream == "no_start":
        n_start = 0
    elif stream == "no_rounds":
        n_start = 60

    lent = {"quantile": reference.conformal_quantile, "adapt": reference.adapt_level}
    agree("adaptive_conformal", scores, 0.25, gamma, n_start=n_start, **lent)


@number("9.3")
@weight(1)
@tags("online")
@pytest.mark.parametrize("stream", ["always_larger", "always_smaller", "adversary"])
def test_adaptive_misses_approach_alpha_on_any_stream(impl, rng, reference, stream):
    """The share of misses approaches alpha on any stream, however hostile."""
    T, alpha, gamma = 80, 0.2, float(rng.uniform(0.14, 0.16))
    if stream == "always_larger":
        scores = np.cumsum(rng.uniform(0.1, 1.0, size=T + 5))
    elif stream == "always_smaller":
        scores = np.cumsum(rng.uniform(0.1, 1.0, size=T + 5))[::-1]
    else:
        # bursts above everything seen, then below everything seen
        scores = np.where(np.arange(T + 5) % 7 < 3, np.arange(T + 5.0), -np.arange(T + 5.0))
    lent = {"quantile": reference.conformal_quantile, "adapt": reference.adapt_level}

    got = impl.adaptive_conformal(scores, alpha, gamma, n_start=5, **lent)
    _, missed, levels = got
    # summing the updates over all rounds: alpha_T - alpha_0 = gamma (T alpha - number of misses)
    assert abs(np.mean(missed) - alpha - (levels[0] - levels[-1]) / (gamma * T)) < 1e-9
    # the level stays in [-gamma (1 - alpha), 1 + gamma alpha], so the gap is at most this
    assert abs(np.mean(missed) - alpha) <= (max(alpha, 1 - alpha) + gamma) / (gamma * T)
    assert_close(got, reference.adaptive_conformal(scores, alpha, gamma, n_start=5))


@number("9.4")
@weight(1)
@tags("online")
def test_adaptive_conformal_leaves_the_scores_alone(impl, reference, rng):
    """The stream that is handed in is the same after the call."""
    scores = rng.exponential(size=12)
    scores[-1] = 100.0
    lent = {"quantile": reference.conformal_quantile, "adapt": reference.adapt_level}

    got = assert_leaves_arguments(
        impl.adaptive_conformal, scores, 0.25, 0.05, n_start=11, **lent, name="adaptive_conformal"
    )
    assert_close(got, reference.adaptive_conformal(scores, 0.25, 0.05, n_start=11))
