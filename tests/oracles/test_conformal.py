"""The conformal reference against NumPy's quantiles, SciPy's beta law and linear programs, and p-values.

MAPIE is not needed: interval and set membership is derived a second time from the definition of a conformal
p-value, (1 + number of calibration scores >= s) / (n + 1) > alpha, in which no quantile occurs.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
import staff_files

optimize = pytest.importorskip("scipy.optimize")
stats = pytest.importorskip("scipy.stats")


@pytest.fixture(scope="module")
def conformal():
    return staff_files.reference("conformal")


@pytest.fixture(params=range(5))
def rng(request):
    return np.random.default_rng([8, request.param])


def plausible(scores, candidate, alpha):
    """Whether a candidate's conformal p-value among the scores is above alpha, in exact arithmetic."""
    at_least = sum(score >= candidate for score in scores)
    return Fraction(1 + at_least, len(scores) + 1) > alpha


# Pinball and quantile regression


def test_pinball_loss_is_the_check_function(conformal, rng):
    y, y_hat, tau = rng.normal(size=50), rng.normal(size=50), rng.uniform(0.01, 0.99, size=50)

    error = y - y_hat
    np.testing.assert_allclose(conformal.pinball_loss(y, y_hat, tau), error * (tau - (error < 0)), rtol=1e-14)


def test_pinball_subgradient_is_a_finite_difference(conformal, rng):
    y, y_hat, tau, h = rng.normal(size=50), rng.normal(size=50), 0.3, 1e-7
    away = np.abs(y - y_hat) > 1e-6

    slope = (conformal.pinball_loss(y, y_hat + h, tau) - conformal.pinball_loss(y, y_hat - h, tau)) / (2 * h)

    np.testing.assert_allclose(conformal.pinball_subgradient(y, y_hat, tau)[away], slope[away], atol=1e-7)


def quantile_regression_by_linear_program(X, y, tau):
    """The smallest mean pinball loss of a linear model with an intercept, and its parameters."""
    n, d = X.shape
    # y = X w + b + over - under with over, under >= 0; minimize mean(tau over + (1 - tau) under)
    cost = np.concatenate([np.zeros(d + 1), np.full(n, tau / n), np.full(n, (1 - tau) / n)])
    equal = np.hstack([X, np.ones((n, 1)), np.eye(n), -np.eye(n)])
    bounds = [(None, None)] * (d + 1) + [(0, None)] * (2 * n)
    result = optimize.linprog(cost, A_eq=equal, b_eq=y, bounds=bounds, method="highs")
    return result.fun, result.x[: d + 1]


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.8])
def test_quantile_regression_approaches_the_linear_programs_optimum(conformal, rng, tau):
    X = rng.normal(size=(40, 2))
    y = X @ [1.0, -1.0] + 0.5 + rng.standard_t(4, size=40)
    optimum, best = quantile_regression_by_linear_program(X, y, tau)

    w, b = conformal.fit_quantile_regression(X, y, tau, lr=1.0, n_steps=3000)
    loss = conformal.pinball_loss(y, X @ w + b, tau).mean()

    steps = 1 / np.sqrt(np.arange(1, 3001))
    G = max(tau, 1 - tau) * np.linalg.norm([*np.abs(X).mean(axis=0), 1.0])
    assert optimum - 1e-9 <= loss <= optimum + (best @ best + G**2 * np.sum(steps**2)) / (2 * np.sum(steps))
    assert loss - optimum < 0.01  # what 3000 steps reach in practice, well inside the bound
    # zero lies in the subdifferential at the optimum, up to the d + 1 rows that it passes through
    gradient = np.append(*conformal.quantile_gradient(X, y, best[:2], best[2], tau))
    assert np.abs(gradient).max() <= 3 * np.abs(np.column_stack([X, np.ones(40)])).max() / 40 + 1e-9


# The conformal quantile


@pytest.mark.parametrize("n", range(61))
def test_conformal_rank_in_fractions(conformal, n):
    for thousandths in range(1, 1000):
        exact = math.ceil((n + 1) * (1 - Fraction(thousandths, 1000)))
        assert conformal.conformal_rank(n, thousandths / 1000) == exact


@pytest.mark.parametrize("n", [1, 5, 19, 60, 200])
def test_conformal_quantile_is_numpys_inverted_cdf_with_infinity_added(conformal, rng, n):
    scores = rng.integers(0, 40, size=(4, n)) / 4  # ties are common
    with_infinity = np.concatenate([scores, np.full((4, 1), np.inf)], axis=1)

    for alpha in rng.uniform(0.001, 0.999, size=30):  # (n + 1)(1 - alpha) is never whole
        expected = np.quantile(with_infinity, 1 - alpha, axis=1, method="inverted_cdf")
        np.testing.assert_array_equal(conformal.conformal_quantile(scores, alpha), expected)


@pytest.mark.parametrize("n", [10, 37, 100])
def test_conformal_quantile_is_numpys_higher_at_the_ranks_level(conformal, rng, n):
    scores = rng.normal(size=n)

    for alpha in rng.uniform(1 / n, 0.9, size=30):
        k = conformal.conformal_rank(n, alpha)
        if 2 <= k <= n:
            # half a place below the k-th: `higher` rounds up to it, and no rounding error matters
            expected = np.quantile(scores, (k - 1.5) / (n - 1), method="higher")
            assert conformal.conformal_quantile(scores, alpha) == expected


# Intervals and sets, by p-values


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.3])
def test_split_conformal_interval_holds_the_plausible_values(conformal, rng, alpha):
    X, y = rng.normal(size=(50, 1)), rng.normal(size=50)

    def fit(X, y):
        return np.polyfit(X[:, 0], y, 1)

    def predict(model, X):
        return np.polyval(model, X[:, 0])

    X_test = rng.normal(size=(5, 1))
    lower, upper = conformal.split_conformal(fit, predict, X, y, X_test, alpha, n_train=20)
    model = fit(X[:20], y[:20])
    scores = np.abs(y[20:] - predict(model, X[20:]))
    for x, low, high in zip(X_test, lower, upper):
        for candidate in rng.normal(scale=2, size=40):
            score = abs(candidate - predict(model, x[None])[0])
            exact_alpha = Fraction(alpha).limit_denominator(1000)
            assert (low <= candidate <= high) == plausible(scores, score, exact_alpha)


@pytest.mark.parametrize("spread", [0.1, 5.0])
def test_cqr_interval_holds_the_plausible_values(conformal, rng, spread):
    X, y, X_test = rng.normal(size=(60, 1)), rng.normal(size=60), rng.normal(size=(5, 1))
    alpha = 0.2

    def fit(X, y, tau):
        return spread * stats.norm.ppf(tau)

    def predict(model, X):
        return X[:, 0] + model

    lower, upper = conformal.cqr(fit, predict, X, y, X_test, alpha, n_train=20)
    half = spread * stats.norm.ppf(0.9)

    def score(x, value):
        return max(x[0] - half - value, value - x[0] - half)

    scores = [score(x, value) for x, value in zip(X[20:], y[20:])]
    for x, low, high in zip(X_test, lower, upper):
        for candidate in rng.normal(scale=3, size=40):
            assert (low <= candidate <= high) == plausible(scores, score(x, candidate), Fraction(1, 5))


def test_cqr_takes_back_a_constant_added_to_the_band(conformal, rng):
    """Widening the fitted band by one amount everywhere changes no interval."""
    X, y, X_test = rng.normal(size=(60, 1)), rng.normal(size=60), rng.normal(size=(5, 1))

    def intervals(extra):
        def predict(model, X):
            return X[:, 0] + model + math.copysign(extra, model)

        return conformal.cqr(lambda X, y, tau: tau - 0.5, predict, X, y, X_test, 0.2, n_train=20)

    np.testing.assert_allclose(intervals(2.5), intervals(0.0), rtol=1e-12)


def test_lac_and_randomized_aps_sets_hold_the_plausible_labels(conformal, rng):
    n, K, alpha = 40, 5, 0.15
    probs, u = rng.dirichlet(np.ones(K), size=n), rng.uniform(size=n)
    labels = rng.integers(0, K, size=n)
    new_probs, new_u = rng.dirichlet(np.ones(K), size=20), rng.uniform(size=20)

    def naive_aps(p, u, label):
        return sum(other for other in p if other > p[label]) + u * p[label]

    for name, scores, new_scores in (
        (
            "lac",
            [1 - p[label] for p, label in zip(probs, labels)],
            [[1 - value for value in p] for p in new_probs],
        ),
        (
            "aps",
            [naive_aps(p, v, label) for p, v, label in zip(probs, u, labels)],
            [[naive_aps(p, v, label) for label in range(K)] for p, v in zip(new_probs, new_u)],
        ),
    ):
        q = conformal.conformal_quantile(scores, alpha)
        if name == "lac":
            sets = conformal.lac_sets(new_probs, q)
        else:
            sets = conformal.aps_sets(new_probs, q, u=new_u)
        expected = [[plausible(scores, s, Fraction(3, 20)) for s in row] for row in new_scores]
        np.testing.assert_array_equal(sets, expected)


@pytest.mark.parametrize(("penalty", "k_reg"), [(0.0, 1), (0.2, 2), (0.05, 0)])
def test_aps_sets_without_u_are_the_smallest_prefixes_that_reach_q(conformal, rng, penalty, k_reg):
    probs = rng.dirichlet(np.full(6, 0.6), size=50)

    for q in rng.uniform(0.1, 1.2, size=5):
        sets = conformal.aps_sets(probs, q, penalty=penalty, k_reg=k_reg)
        for row, chosen in zip(probs, sets):
            ranking = np.argsort(-row)
            mass = np.cumsum(row[ranking]) + penalty * np.maximum(0, np.arange(1, 7) - k_reg)
            size = min(int(np.searchsorted(mass, q)) + 1, 6)  # the first prefix with mass >= q, or all
            assert set(np.flatnonzero(chosen)) == set(ranking[:size])


def row_with_labels_of_no_probability(rng):
    """One-hot, or a few quarters and zeros: labels without probability are common, and scores tie."""
    return rng.permuted([[1, 0, 0, 0, 0], [0.75, 0.25, 0, 0, 0], [0.5, 0.25, 0.25, 0, 0]][rng.integers(3)])


@pytest.mark.parametrize("randomized", [False, True])
@pytest.mark.parametrize("alpha", [0.1, 0.25, 0.5])
def test_aps_covers_as_promised_also_labels_of_probability_zero(conformal, rng, alpha, randomized):
    """Each of n + 1 examples is the new one once, so coverage is a count: at least ceil((n + 1)(1 - alpha))."""
    n = 40
    probs = np.array([row_with_labels_of_no_probability(rng) for _ in range(n)])
    labels = np.where(rng.uniform(size=n) < 0.6, probs.argmax(axis=1), rng.integers(0, 5, size=n))
    u = rng.uniform(size=n) if randomized else None
    scores = conformal.aps_scores(probs, u=u)

    covered = 0
    for new in range(n):
        others = np.arange(n) != new
        q = conformal.conformal_quantile(scores[others, labels[others]], alpha)
        new_set = conformal.aps_sets(probs[[new]], q, u=None if u is None else u[[new]])[0]
        mine = [float(score) for score in scores[others, labels[others]]]
        allowed = [plausible(mine, score, Fraction(alpha).limit_denominator(100)) for score in scores[new]]
        assert new_set[allowed].all()
        assert not randomized or not new_set[~np.array(allowed)].any()
        covered += new_set[labels[new]]
    assert covered >= math.ceil(n * (1 - Fraction(alpha).limit_denominator(100)))


def test_group_thresholds_admit_the_plausible_scores_of_the_group(conformal, rng):
    groups, scores = rng.integers(0, 4, size=80), rng.integers(0, 30, size=80) / 2
    thresholds = conformal.group_quantiles(scores, groups, 0.1, n_groups=4)

    for group in range(4):
        for candidate in np.arange(0, 16, 0.5):
            mine = scores[groups == group]
            assert (candidate <= thresholds[group]) == plausible(mine, candidate, Fraction(1, 10))


# The law of coverage


@pytest.mark.parametrize("n", [1, 9, 50, 1000, 5000])
def test_coverage_law_is_scipys_beta(conformal, rng, n):
    for k in {1, int(rng.integers(1, n + 1)), max(1, math.ceil(0.9 * n)), n}:
        law = stats.beta(k, n + 1 - k)
        c = np.concatenate([[0.0, 1.0], rng.uniform(size=10), law.ppf(rng.uniform(0.001, 0.999, size=20))])

        np.testing.assert_allclose(conformal.coverage_moments(n, k), [law.mean(), law.std()], rtol=1e-11)
        np.testing.assert_allclose(conformal.coverage_cdf(c, n, k), law.cdf(c), rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(conformal.coverage_cdf(c, n, k), stats.binom.sf(k - 1, n, c), atol=1e-9)


def test_coverage_of_an_infinite_threshold_is_one(conformal):
    assert conformal.coverage_moments(7, 8) == (1.0, 0.0)
    np.testing.assert_array_equal(conformal.coverage_cdf([0.0, 0.5, 1.0], 7, 8), [0.0, 0.0, 1.0])


# The adaptive level


@pytest.mark.parametrize("gamma", [0.01, 0.1, 0.5])
def test_adaptive_rounds_follow_from_their_misses(conformal, rng, gamma):
    scores, alpha, n_start = rng.exponential(size=150) * np.linspace(1, 4, 150), 0.1, 20

    thresholds, missed, levels = conformal.adaptive_conformal(scores, alpha, gamma, n_start=n_start)

    np.testing.assert_allclose(levels, alpha + gamma * np.append(0, np.cumsum(alpha - missed)), atol=1e-12)
    np.testing.assert_array_equal(missed, scores[n_start:] > thresholds)
    for t, (q, level) in enumerate(zip(thresholds, levels)):
        past = np.append(scores[: n_start + t], np.inf)
        if not 0 < level < 1:
            assert q == math.copysign(math.inf, 0.5 - level)
        else:
            # a little less than 1 - level, so that a product that is whole on paper is not rounded up
            assert q == np.quantile(past, 1 - level - 1e-11, method="inverted_cdf")
