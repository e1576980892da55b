"""Graded checks of the conformal assignment.

Each compares with the reference on random inputs, and many hold the answer to an identity besides. Tasks 4,
5, 7 and 9 get the reference's conformal quantile as their `quantile`, so that task 3 costs no points there.
"""

import contextlib
import itertools
import math

import numpy as np
import pytest
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
@weight(3)
@tags("pinball")
@pytest.mark.parametrize("case", ["vector", "several_levels", "numbers", "ties", "integers"])
def test_pinball_loss_charges_tau_below_and_one_minus_tau_above(impl, agree, rng, case):
    """A prediction that is too low costs tau per unit, one too high 1 - tau, for each entry by itself."""
    y, y_hat = 3 * rng.normal(size=(2, 40))
    tau = rng.uniform(0.05, 0.45)
    if case == "several_levels":
        y, y_hat, tau = y[:, None], 3 * rng.normal(size=(40, 3)), rng.uniform(0.05, 0.95, size=3)
    elif case == "numbers":
        y, y_hat = float(y[0]), float(y_hat[0])
    elif case == "ties":
        y_hat[::2] = y[::2]
    elif case == "integers":
        y, y_hat = rng.integers(-3, 4, size=(2, 40))

    agree("pinball_loss", y, y_hat, tau)


@number("1.2")
@weight(3)
@tags("pinball")
@pytest.mark.parametrize("case", ["vector", "several_levels", "exact_predictions"])
def test_pinball_subgradient_is_the_slope_in_the_prediction(impl, agree, rng, case):
    """The slope is taken in the prediction; where y = y_hat it is that of the branch y >= y_hat."""
    y, y_hat = rng.integers(-4, 5, size=(2, 60)) / 2  # halves: a third of a pair or so are equal
    tau = rng.uniform(0.05, 0.45)
    if case == "several_levels":
        y, y_hat, tau = y[:, None], rng.normal(size=(60, 4)), rng.uniform(0.05, 0.95, size=4)
    elif case == "exact_predictions":
        y_hat = y.copy()

    agree("pinball_subgradient", y, y_hat, tau)


@number("1.3")
@weight(2)
@tags("pinball")
def test_pinball_minimiser_is_the_sample_quantile(impl, agree, rng):
    """Of all constants, the one with the lowest total pinball loss is the sample's tau-quantile."""
    values = np.unique(rng.normal(size=17))

    for tau in rng.uniform(0.02, 0.98, size=4):
        loss = agree("pinball_loss", values[:, None], values, tau)  # row: truth, column: constant
        # n tau is whole with probability 0, so the minimiser is unique: the ceil(n tau)-th smallest
        best = values[np.argmin(loss.sum(axis=0))]
        assert best == np.quantile(values, tau, method="inverted_cdf")


# Task 2


def look_at_the_parts(impl, X, y, tau):
    """Ask for a loss and a gradient without comparing them.

    Wrong fits are often alike (many never leave the start). Hints go by all answers: these tell them apart.
    """
    with contextlib.suppress(Exception):  # a fit may do without either
        impl.pinball_loss(y, 0.0, tau)
        impl.quantile_gradient(X, y, np.zeros(X.shape[1]), 0.0, tau)


@number("2.1")
@weight(4)
@tags("quantile_regression")
@pytest.mark.parametrize("case", ["one_column", "many_columns", "one_row", "no_columns", "exact_rows"])
def test_quantile_gradient_averages_over_examples(impl, agree, rng, case):
    """The gradient is the mean over rows of slope times row; for the intercept, of the slope alone."""
    n = 1 if case == "one_row" else int(rng.integers(20, 40))
    d = {"one_column": 1, "no_columns": 0}.get(case, 4)
    X, y = rng.normal(size=(n, d)), rng.normal(size=n)
    w, b, tau = rng.normal(size=d), float(rng.normal()), float(rng.uniform(0.05, 0.95))
    if case == "exact_rows":
        # halves are exact in floating point, so these rows are predicted exactly
        X, w, b = rng.integers(-3, 4, size=(n, d)) / 2, rng.integers(-3, 4, size=d) / 2, 0.5
        y = X @ w + b + np.where(np.arange(n) % 2, 0.0, y)

    agree("quantile_gradient", X, y, w, b, tau)


@number("2.2")
@weight(3)
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
        look_at_the_parts(impl, X, y, tau)
        return [impl.fit_quantile_regression(X, y, tau, lr=lr, n_steps=n_steps) for n_steps in (1, 4, 15, 40)]

    agree(fits, X, y)


def losses_on_the_path(reference, X, y, tau, lr, n_steps):
    """Mean pinball loss at the start and after each step."""
    w, b, losses = np.zeros(X.shape[1]), 0.0, []
    for t in range(1, n_steps + 2):
        losses.append(reference.pinball_loss(y, X @ w + b, tau).mean())
        grad_w, grad_b = reference.quantile_gradient(X, y, w, b, tau)
        w, b = w - lr / math.sqrt(t) * grad_w, b - lr / math.sqrt(t) * grad_b
    return np.array(losses)


@number("2.3")
@weight(2)
@tags("quantile_regression")
@pytest.mark.parametrize("case", ["long_steps", "start_is_best", "no_steps"])
def test_fit_quantile_regression_keeps_the_best_iterate(impl, agree, rng, reference, case):
    """A subgradient step may go uphill, so what is returned is the best point met, the start included."""
    X, y, tau = rng.normal(size=(30, 2)), rng.normal(size=30), float(rng.uniform(0.2, 0.8))
    lr = 6.0  # so long a step overshoots, time and again
    if case == "start_is_best":
        y = 1e-3 * y
    losses = losses_on_the_path(reference, X, y, tau, lr, 40)
    # stop where the last step went uphill, so that the best point is not the last; more than once, so that
    # no other mistake chooses the last point every time
    uphill = [T for T in range(5, 41) if losses[T] > losses[1:T].min()]
    stops = [0] if case == "no_steps" else uphill[:4]

    def fits(impl, X, y):
        look_at_the_parts(impl, X, y, tau)
        return [impl.fit_quantile_regression(X, y, tau, lr=lr, n_steps=n_steps) for n_steps in stops]

    agree(fits, X, y)


@number("2.4")
@weight(1)
@tags("quantile_regression")
def test_fit_quantile_regression_ends_within_the_methods_bound(impl, agree, rng):
    """The mean pinball loss ends as close to the smallest possible as the subgradient method promises."""
    x = rng.normal(size=12)
    X, y, tau, lr, n_steps = x[:, None], 2 * x - 1 + rng.normal(size=12), 0.7, 1.0, 150

    def mean_loss(w, b):
        error = y - (w * x + b)
        return np.mean(np.maximum(tau * error, (tau - 1) * error))

    def fit(impl, X, y):
        look_at_the_parts(impl, X, y, tau)
        return impl.fit_quantile_regression(X, y, tau, lr=lr, n_steps=n_steps)

    w, b = agree(fit, X, y)
    # The optimum is at a vertex of a linear programme: a line through two of the points.
    lines = [((y[i] - y[j]) / (x[i] - x[j]), i) for i, j in itertools.combinations(range(12), 2)]
    best, w_best, b_best = min((mean_loss(v, y[i] - v * x[i]), v, y[i] - v * x[i]) for v, i in lines)
    # best iterate - optimum <= (R^2 + G^2 sum a_t^2) / (2 sum a_t), with R the distance from the start to the
    # optimum and G a bound on the subgradient's length: |slope| <= max(tau, 1 - tau)
    steps = lr / np.sqrt(np.arange(1, n_steps + 1))
    G = max(tau, 1 - tau) * np.hypot(np.mean(np.abs(x)), 1.0)
    bound = (w_best**2 + b_best**2 + G**2 * np.sum(steps**2)) / (2 * np.sum(steps))
    assert best - 1e-12 <= mean_loss(w[0], b) <= best + bound


# Task 3


@number("3.1")
@weight(3)
@tags("conformal_quantile")
@pytest.mark.parametrize("case", ["small_n", "round_levels", "tiny_and_huge_alpha"])
def test_conformal_rank_is_exact(impl, agree, rng, case):
    """The rank is ceil((n + 1)(1 - alpha)) as decimals have it, however floating point rounds."""
    if case == "small_n":
        pairs = [(n, int(percent)) for n in range(61) for percent in rng.integers(1, 100, size=2)]
    elif case == "round_levels":
        # every pair up to 60 at which plain floating point rounds up wrongly, and some more
        wrong = [
            (n, p)
            for n in range(61)
            for p in range(1, 100)
            if math.ceil((n + 1) * (1 - p / 100)) != integer_rank(n, p)
        ]
        pairs = wrong + [(99, int(p)) for p in rng.integers(1, 100, size=40)]
    else:
        pairs = [(n, p) for n in (0, 1, 98, 99, 100, 1000) for p in (1, 99)]

    def ranks(impl, pairs):
        return [impl.conformal_rank(n, percent / 100) for n, percent in pairs]

    got = agree(ranks, pairs)
    assert list(got) == [integer_rank(n, percent) for n, percent in pairs]


@number("3.2")
@weight(3)
@tags("conformal_quantile")
@pytest.mark.parametrize("n", [1, 2, 9, 10, 19, 20, 37, 50, 60])
def test_conformal_quantile_is_an_order_statistic(impl, agree, rng, n):
    """The threshold is one of the scores, the k-th smallest, and infinite when there is no k-th."""
    scores = rng.exponential(size=n)
    percents = [int(p) for p in rng.integers(1, 100, size=8)]

    def thresholds(impl, scores, percents):
        return [impl.conformal_quantile(scores, p / 100) for p in percents]

    got = agree(thresholds, scores, percents)
    padded = np.append(np.sort(scores), np.inf)
    assert_close([float(q) for q in got], [float(padded[integer_rank(n, p) - 1]) for p in percents])


@number("3.3")
@weight(2)
@tags("conformal_quantile")
@pytest.mark.parametrize("percent", [10, 45, 80])
def test_conformal_quantile_counts_tied_scores_one_by_one(impl, agree, rng, percent):
    """Three equal scores are three scores; infinite scores are scores too, and the largest."""
    scores = rng.integers(0, 6, size=(30, 23)) ** 2.0
    scores[::3, :4] = np.inf

    agree("conformal_quantile", scores, percent / 100)


@number("3.4")
@weight(1)
@tags("conformal_quantile")
@pytest.mark.parametrize("shape", [(0,), (8,), (3, 0), (2, 3, 8)], ids=str)
def test_conformal_quantile_is_infinite_when_scores_are_too_few(impl, agree, rng, shape):
    """With fewer than (1 - alpha) / alpha scores no finite threshold is safe, for each leading dimension."""
    scores = rng.normal(size=shape)

    # at alpha = 0.1, nine scores are needed; at 0.3, three
    agree("conformal_quantile", scores, 0.1)
    agree("conformal_quantile", scores, 0.3)


@number("3.5")
@weight(2)
@tags("conformal_quantile")
def test_average_coverage_is_what_exchangeability_promises(impl, agree, rng):
    """Over many calibrations, a new exchangeable score is at or below the threshold k times in n + 1."""
    n, trials = 10, 8000
    scores = rng.normal(size=(n + 1, trials)).T  # not contiguous
    q = agree("conformal_quantile", scores[:, :n], 0.1)

    covered = np.mean(scores[:, n] <= q)
    # Hoeffding: trials are independent, each covers with probability exactly 10/11 = 0.909 (k = 10).
    # The bound is 0.039; rank ceil(n (1 - alpha)) = 9 would cover 0.818.
    assert abs(covered - 10 / 11) < math.sqrt(math.log(2 / P_FALSE) / (2 * trials))


# Task 4


def least_squares(X, y):
    """Coefficients of the least-squares plane, intercept last."""
    return np.linalg.lstsq(np.column_stack([X, np.ones(len(X))]), y, rcond=None)[0]


def plane(model, X):
    return np.asarray(X) @ model[:-1] + model[-1]


@number("4.1")
@weight(4)
@tags("split_conformal")
@pytest.mark.parametrize("alpha", [0.07, 0.2, 0.5])
def test_split_conformal_calibrates_on_rows_the_model_has_not_seen(impl, agree, rng, reference, alpha):
    """The half-width is the conformal quantile of the absolute errors on the rows after n_train."""
    X, y = heteroscedastic(rng, 60)
    X_test = rng.uniform(-1, 1, size=(7, 2))

    def intervals(impl, X, y, X_test, n_train):
        return impl.split_conformal(
            least_squares, plane, X, y, X_test, alpha, n_train=n_train, quantile=reference.conformal_quantile
        )

    for n_train in (6, 31):  # a model of six rows is much worse on the others than on its own
        lower, upper = agree(intervals, X, y, X_test, n_train)
        assert np.ptp(upper - lower) < 1e-9  # one width for all


@number("4.2")
@weight(2)
@tags("split_conformal")
def test_split_conformal_fits_once_and_scores_every_calibration_row(impl, agree, rng, reference):
    """The model is fitted once, to the first n_train rows; each later row gives one score."""
    X, y = heteroscedastic(rng, 40)
    n_train, alpha = int(rng.integers(10, 30)), float(rng.uniform(0.05, 0.5))

    def what_is_asked(impl, X, y):
        fits, thresholds = [], []

        def fit(X, y):
            fits.append((X, y))
            return least_squares(X, y)

        def quantile(scores, alpha):
            thresholds.append((np.sort(np.asarray(scores).ravel()), alpha))
            return reference.conformal_quantile(scores, alpha)

        out = impl.split_conformal(fit, plane, X, y, X[:3], alpha, n_train=n_train, quantile=quantile)
        return out, fits, thresholds

    agree(what_is_asked, X, y)


@number("4.3")
@weight(1)
@tags("split_conformal")
@pytest.mark.parametrize("n_cal", [0, 8, 9])
def test_split_conformal_is_unbounded_where_calibration_rows_are_too_few(impl, agree, rng, reference, n_cal):
    """Too few calibration rows for alpha give the whole line: still an honest answer."""
    X, y = heteroscedastic(rng, 20)

    def intervals(impl, X, y):
        return impl.split_conformal(
            least_squares, plane, X, y, X[:4], 0.1, n_train=20 - n_cal, quantile=reference.conformal_quantile
        )

    lower, upper = agree(intervals, X, y)
    assert np.all(np.isinf(upper - lower)) == (n_cal < 9)


# Task 5


def band_model(X, y, tau):
    """A stand-in for a quantile model: a plane through the data, and an offset that grows with the level."""
    return np.append(least_squares(X, y), 3.0 * (tau - 0.5))


def band_predict(model, X):
    return plane(model[:-1], X) + model[-1]


@number("5.1")
@weight(3)
@tags("cqr")
@pytest.mark.parametrize("case", ["mixed", "all_inside", "on_the_edge", "crossed"])
def test_cqr_scores_are_signed_distances_to_the_nearer_edge(impl, agree, rng, case):
    """Outside the band the score is the distance to it; inside, minus the distance to the nearer edge."""
    y, middle = rng.normal(size=(2, 30))
    half = rng.uniform(0.1, 1.5, size=30)
    if case == "all_inside":
        middle, half = y + 0.3 * half, half + 1.0
    elif case == "crossed":
        half = -half
    lower, upper = middle - half, middle + half
    if case == "on_the_edge":
        y = np.where(np.arange(30) % 2, lower, upper)

    agree("cqr_scores", y, lower, upper)


@number("5.2")
@weight(3)
@tags("cqr")
def test_cqr_fits_the_two_outer_quantiles_on_training_rows(impl, agree, rng, reference):
    """Both tails share alpha: the levels fitted are alpha/2 and 1 - alpha/2, on the first n_train rows."""
    X, y = heteroscedastic(rng, 40)
    n_train, alpha = int(rng.integers(12, 28)), float(rng.uniform(0.1, 0.5))

    def what_is_asked(impl, X, y):
        fits, thresholds = [], []

        def fit(X, y, tau):
            fits.append((float(tau), X, y))
            return band_model(X, y, tau)

        def quantile(scores, alpha):
            thresholds.append((np.sort(np.asarray(scores).ravel()), alpha))
            return reference.conformal_quantile(scores, alpha)

        out = impl.cqr(fit, band_predict, X, y, X[:5], alpha, n_train=n_train, quantile=quantile)
        return out, sorted(fits, key=lambda fit: fit[0]), thresholds

    agree(what_is_asked, X, y)


@number("5.3")
@weight(3)
@tags("cqr")
@pytest.mark.parametrize("band", ["too_wide", "too_narrow", "crossed", "too_few_rows"])
def test_cqr_moves_both_edges_by_the_threshold(impl, agree, rng, reference, band):
    """A band that is too narrow grows and one that is too wide shrinks, by the same amount on either side."""
    X, y = heteroscedastic(rng, 50)
    X_test = rng.uniform(-1, 1, size=(6, 2))
    stretch = {"too_wide": 8.0, "too_narrow": 0.05, "crossed": -1.0, "too_few_rows": 1.0}[band]
    n_train = 45 if band == "too_few_rows" else 20

    def predict(model, X):
        return plane(model[:-1], X) + stretch * (1.2 + np.asarray(X)[:, 0]) * model[-1]

    def intervals(impl, X, y, X_test):
        return impl.cqr(
            band_model, predict, X, y, X_test, 0.1, n_train=n_train, quantile=reference.conformal_quantile
        )

    agree(intervals, X, y, X_test)


@number("5.4")
@weight(1)
@tags("cqr")
def test_cqr_forgets_a_constant_added_to_the_band(impl, agree, rng, reference):
    """Widening the fitted band by one amount everywhere changes no interval: calibration takes it back."""
    X, y = heteroscedastic(rng, 50)

    def intervals(impl, X, y, extra):
        def predict(model, X):
            return band_predict(model, X) + math.copysign(extra, model[-1])

        return impl.cqr(
            band_model, predict, X, y, X[:6], 0.2, n_train=20, quantile=reference.conformal_quantile
        )

    plain = agree(intervals, X, y, 0.0)
    widened = agree(intervals, X, y, float(rng.uniform(1, 3)))
    assert_close(widened, plain)


# Task 6


@number("6.1")
@weight(3)
@tags("label_sets")
@pytest.mark.parametrize("case", ["random", "threshold_on_a_score", "infinite", "no_label_fits"])
def test_lac_takes_labels_whose_score_is_at_most_the_threshold(impl, agree, rng, case):
    """LAC scores a label by 1 minus its probability, and keeps every label that scores q or less."""
    probs = dyadic_probs(rng, 25, 5)
    q = {"random": 0.7 + 1 / 300, "infinite": math.inf, "no_label_fits": -0.01}.get(case)
    if q is None:
        q = float(1 - np.sort(probs, axis=1)[3, -2])

    agree("lac_scores", rng.dirichlet(np.ones(4), size=12))
    agree("lac_sets", probs, q)


@number("6.2")
@weight(3)
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
        probs = np.ones((4, 1))
    elif case == "no_rows":
        agree("aps_scores", probs[:0])

    agree("aps_scores", probs)


@number("6.3")
@weight(2)
@tags("label_sets")
def test_aps_scores_of_random_labels_are_uniform(impl, agree, rng):
    """With u, a label drawn from the row's own probabilities has a score that is uniform on [0, 1]."""
    N, K = 3000, 4
    probs = rng.dirichlet(np.ones(K), size=N)
    u = rng.uniform(size=N)
    labels = np.minimum((np.cumsum(probs, axis=1) < rng.uniform(size=(N, 1))).sum(axis=1), K - 1)

    scores = agree("aps_scores", probs, u=u)
    drawn = np.sort(scores[np.arange(N), labels])
    # Dvoretzky-Kiefer-Wolfowitz, Massart's constant: the empirical distribution is within this of its law
    bound = math.sqrt(math.log(2 / P_FALSE) / (2 * N))
    assert np.max(np.abs(drawn - (np.arange(N) + 0.5) / N)) < bound + 0.5 / N


@number("6.4")
@weight(3)
@tags("label_sets")
@pytest.mark.parametrize("case", ["random", "reached_exactly", "no_probability", "tiny", "infinite"])
def test_aps_sets_take_the_label_that_crosses(impl, agree, rng, reference, case):
    """Without u a set holds every label that scores at most q and the one that reaches q, so it is never
    empty."""
    probs = rng.dirichlet(np.full(6, 0.5), size=40)
    q = {"random": 0.6 + rng.uniform() / 5, "tiny": 1e-12, "infinite": math.inf}.get(case)
    if case == "no_probability":
        # labels without probability score what the label before them does: 1, for which the mass was enough
        probs, q = rng.permuted(np.tile([0.75, 0.25, 0, 0, 0], (40, 1)), axis=1), 1.0
        probs[::4] = np.eye(5)[rng.integers(0, 5, size=10)]
        agree("aps_sets", probs, q, penalty=0.25, k_reg=3)  # the fourth label and the fifth are beyond q
    elif q is None:
        # halves and quarters: 0.75 is reached exactly by two labels or three
        probs, q = rng.permuted(np.tile([0.5, 0.25, 0.125, 0.125], (40, 1)), axis=1), 0.75
        agree("aps_sets", probs, 0.7)

    sets = agree("aps_sets", probs, float(q))
    assert sets.any(axis=1).all()
    assert sets[reference.aps_scores(probs) <= q].all()  # what the guarantee rests on


@number("6.5")
@weight(2)
@tags("label_sets")
@pytest.mark.parametrize("k_reg", [0, 1, 3])
def test_raps_penalises_ranks_beyond_k_reg(impl, agree, rng, k_reg):
    """Each rank beyond k_reg adds one penalty to the score, so sets larger than k_reg become rare."""
    probs = rng.dirichlet(np.ones(6), size=30)
    u, penalty, q = rng.uniform(size=30), float(rng.uniform(0.05, 0.3)), float(rng.uniform(0.7, 1.1))

    agree("aps_scores", probs, penalty=penalty, k_reg=k_reg)
    agree("aps_scores", probs, u=u, penalty=penalty, k_reg=k_reg)
    agree("aps_sets", probs, q, penalty=penalty, k_reg=k_reg)
    agree("aps_sets", probs, q, u=u, penalty=penalty, k_reg=k_reg)


@number("6.6")
@weight(1)
@tags("label_sets")
@pytest.mark.parametrize("case", ["random", "threshold_on_a_score"])
def test_randomised_aps_sets_compare_scores_with_the_threshold(impl, agree, rng, case):
    """With u a label is in exactly if its own score is at most q, so some sets are empty."""
    probs, u = rng.dirichlet(np.full(5, 0.3), size=60), rng.uniform(size=60)
    q = 0.6
    if case == "threshold_on_a_score":
        # sums of multiples of 1/64 and of their quarters are exact
        probs, u, q = dyadic_probs(rng, 60, 5), rng.integers(0, 5, size=60) / 4, 0.5

    agree("aps_sets", probs, q, u=u)


# Task 7


@number("7.1")
@weight(3)
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
@weight(2)
@tags("groups")
def test_group_intervals_use_each_rows_own_threshold(impl, agree, rng):
    """A row's interval is y_hat -+ the threshold of the group that the row belongs to."""
    thresholds = rng.exponential(size=4)
    thresholds[1] = np.inf

    for m in (0, 1, 15):
        agree("group_intervals", rng.normal(size=m), rng.integers(0, 4, size=m), thresholds)


@number("7.3")
@weight(1)
@tags("groups")
def test_group_thresholds_ignore_other_groups(impl, agree, rng, reference):
    """Changing or dropping another group's scores leaves a group's threshold as it was."""
    groups = rng.permutation(np.repeat([0, 1], 30))
    scores = rng.exponential(size=60)
    larger = np.where(groups == 1, 100 * scores, scores)

    def thresholds(impl, scores, groups):
        return impl.group_quantiles(scores, groups, 0.1, n_groups=2, quantile=reference.conformal_quantile)

    before = agree(thresholds, scores, groups)
    after = agree(thresholds, larger, groups)
    alone = agree(thresholds, scores[groups == 0], groups[groups == 0])
    assert before[0] == after[0] == alone[0]


# Task 8


@number("8.1")
@weight(2)
@tags("coverage")
@pytest.mark.parametrize("case", ["random", "on_the_ends", "crossed", "unbounded", "one_row"])
def test_interval_measures_are_means_over_rows(impl, agree, rng, case):
    """Coverage is the share of y in closed intervals; width is the mean length, 0 for an empty interval."""
    m = 1 if case == "one_row" else 31
    y, middle = rng.normal(size=(2, m))
    half = rng.exponential(size=m)
    if case == "crossed":
        half[::2] *= -1
    lower, upper = middle - half, middle + half
    if case == "on_the_ends":
        y = np.where(np.arange(m) % 2, lower, upper)
    elif case == "unbounded":
        lower[3], upper[4] = -np.inf, np.inf

    agree("interval_coverage", y, lower, upper)
    agree("mean_width", lower, upper)


@number("8.2")
@weight(2)
@tags("coverage")
@pytest.mark.parametrize("density", [0.1, 0.4, 0.9])
def test_set_measures_count_the_true_label_and_all_labels(impl, agree, rng, density):
    """Coverage looks up each row's own label; size is the mean number of labels, empty sets included."""
    sets = rng.uniform(size=(45, 6)) < density
    labels = rng.integers(0, 6, size=45)

    agree("set_coverage", sets, labels)
    agree("mean_set_size", sets)


@number("8.3")
@weight(2)
@tags("coverage")
@pytest.mark.parametrize("case", ["small", "infinite_threshold", "ends", "thousands"])
def test_coverage_law_is_beta(impl, agree, rng, case):
    """Given the calibration set, coverage has the mean, spread and distribution of Beta(k, n + 1 - k)."""
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

    agree("coverage_moments", n, k)
    # lgamma(4000) is 29000, so each term carries a relative error of some 1e-11
    agree("coverage_cdf", c, n, k, tol=(1e-8, 1e-10) if case == "thousands" else None)


@number("8.4")
@weight(2)
@tags("coverage")
@pytest.mark.parametrize(("n", "alpha"), [(9, 0.1), (50, 0.1), (50, 0.3)])
def test_coverage_law_is_that_of_simulated_calibrations(impl, agree, rng, reference, n, alpha):
    """For uniform scores coverage is the threshold itself: over many calibrations it follows that law."""
    k, trials = reference.conformal_rank(n, alpha), 4000
    coverage = np.sort(reference.conformal_quantile(rng.uniform(size=(trials, n)), alpha))

    cdf = agree("coverage_cdf", coverage, n, k)
    mean, std = agree("coverage_moments", n, k)
    # Dvoretzky-Kiefer-Wolfowitz with Massart's constant
    bound = math.sqrt(math.log(2 / P_FALSE) / (2 * trials))
    assert np.max(np.abs(cdf - (np.arange(trials) + 0.5) / trials)) < bound + 0.5 / trials
    # Hoeffding for the mean; coverage lies in [0, 1]
    assert abs(coverage.mean() - mean) < bound
    assert abs(np.mean((coverage - mean) ** 2) - std**2) < bound


# Task 9


@number("9.1")
@weight(2)
@tags("online")
@pytest.mark.parametrize("missed", [False, True], ids=["hit", "miss"])
def test_adapt_level_falls_after_a_miss_and_rises_after_a_hit(impl, agree, rng, missed):
    """A miss lowers the level by gamma (1 - alpha), a hit raises it by gamma alpha, in or out of [0, 1]."""
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

    def run(impl, scores):
        return impl.adaptive_conformal(
            scores, 0.25, gamma, n_start=n_start, quantile=reference.conformal_quantile
        )

    agree(run, scores)


@number("9.3")
@weight(1)
@tags("online")
@pytest.mark.parametrize("stream", ["always_larger", "always_smaller", "adversary"])
def test_adaptive_misses_approach_alpha_on_any_stream(impl, agree, rng, reference, stream):
    """Misses average alpha up to (alpha_0 - alpha_T) / (gamma T), on any stream, however hostile."""
    T, alpha, gamma = 80, 0.2, float(rng.uniform(0.14, 0.16))
    if stream == "always_larger":
        scores = np.cumsum(rng.uniform(0.1, 1.0, size=T + 5))
    elif stream == "always_smaller":
        scores = np.cumsum(rng.uniform(0.1, 1.0, size=T + 5))[::-1]
    else:
        # bursts above everything seen, then below everything seen
        scores = np.where(np.arange(T + 5) % 7 < 3, np.arange(T + 5.0), -np.arange(T + 5.0))

    def run(impl, scores):
        return impl.adaptive_conformal(scores, alpha, gamma, n_start=5, quantile=reference.conformal_quantile)

    thresholds, missed, levels = agree(run, scores)
    # summing the updates over all rounds: alpha_T - alpha_0 = gamma (T alpha - number of misses)
    assert abs(np.mean(missed) - alpha - (levels[0] - levels[-1]) / (gamma * T)) < 1e-9
    # the level stays in [-gamma (1 - alpha), 1 + gamma alpha], so the gap is at most this
    assert abs(np.mean(missed) - alpha) <= (max(alpha, 1 - alpha) + gamma) / (gamma * T)
