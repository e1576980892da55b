"""What the handout of regularization states, computed with the reference."""

import math

import numpy as np
import pytest
import staff_files


@pytest.fixture(scope="module")
def reg():
    return staff_files.reference("regularization")


def rounded(values, digits):
    return [round(float(value), digits) for value in values]


# Opening


def test_both_models_of_the_opening_fit_perfectly(reg):
    """30 and 45 examples of 50 features: the shortest weights fit all of them, and those for 45 are longer."""
    rng, lengths = np.random.default_rng(0), []
    for n in (30, 45):
        total = 0.0
        for _ in range(50):
            w, X = rng.normal(size=50), rng.normal(size=(n, 50))
            y = X @ (w / np.linalg.norm(w)) + 0.5 * rng.normal(size=n)
            found = np.linalg.pinv(X) @ y
            np.testing.assert_allclose(X @ found, y, atol=1e-9)
            total += found @ found / 50
        lengths.append(total)
    assert lengths[1] > 1.5 * lengths[0]


# Task 1


def test_the_two_strengths_of_scikit_learn(reg):
    """100 and 1 in "sum", and 0.02 in torch; with twice the data, Lasso's grows along and Ridge's doesn't."""
    assert [reg.convert_penalty(1.0, 100, "sklearn", "sum", norm=norm) for norm in (1, 2)] == [100, 1]
    assert reg.convert_penalty(1.0, 100, "sklearn", "torch", norm=2) == 0.02
    assert [reg.convert_penalty(1.0, 200, "sklearn", "sum", norm=norm) for norm in (1, 2)] == [200, 1]


def test_three_quarters(reg):
    """z = log 3 and y = 1 cost log 4/3; z = 800 and y = 0 cost 800."""
    loss = [
        reg.penalized_loss(np.array([z]), 0.0, np.ones((1, 1)), np.array([y]), 0.0, kind="logistic")
        for z, y in ((math.log(3), 1.0), (800.0, 0.0))
    ]
    np.testing.assert_allclose(loss, [math.log(4 / 3), 800])


# Task 2


def ends(reg, K):
    settings = [{"lr": lr, "n_average": K, "n_steps": 400} for lr in (0.4, 0.7, 1.2, 1.9)]
    return [abs(reg.averaged_descent(lambda w: w, np.ones(1), **setting)[-1, 0]) for setting in settings]


@pytest.mark.parametrize(("K", "settles"), [(1, 4), (2, 4), (5, 2), (10, 1)])
def test_which_rates_settle(reg, K, settles):
    assert [end < 0.01 for end in ends(reg, K)] == [True] * settles + [False] * (4 - settles)
    assert all(end > 100 for end in ends(reg, K)[settles:])


@pytest.mark.parametrize(("K", "limit"), [(1, 2.0), (2, 2.0), (3, 1.5), (5, 0.955), (10, 0.489)])
def test_limits_of_averages(reg, K, limit):
    """By the eigenvalues of the recursion, to three digits."""

    def settles(lr):
        companion = np.diag(np.ones(K - 1), -1)
        companion[0] -= lr / K
        companion[0, 0] += 1
        return np.abs(np.linalg.eigvals(companion)).max() < 1

    assert settles(limit - 0.001) and not settles(limit + 0.001)


def test_path_by_hand(reg):
    got = reg.averaged_descent(lambda w: w, np.array([8.0]), lr=0.5, n_average=2, n_steps=3)
    assert got.ravel().tolist() == [8, 4, 1, -0.25]


def test_docstring_case_of_batches(reg):
    g = np.array([[0.0], [2.0], [4.0]])
    np.testing.assert_allclose([reg.batch_variance(g, 1), reg.batch_variance(g, 2)], [8 / 3, 2 / 3])


@pytest.mark.parametrize(("lr", "settle"), [(0.4, (1, 3, 5, 10)), (1.2, (1, 3))])
def test_figure_averages(reg, lr, settle):
    """Of K = 1, 3, 5 and 10, only 1 and 3 settle with both rates."""
    for K in (1, 3, 5, 10):
        end = abs(reg.averaged_descent(lambda w: w, np.ones(1), lr=lr, n_average=K, n_steps=500)[-1, 0])
        assert (end < 0.01) == (K in settle)


# Task 3


def test_ridge_by_hand(reg):
    """Singular values 2 and 1 keep 0.8 and 0.5; the docstring's case; the copied and the scaled feature of Hint 2's kind."""
    assert reg.shrinkage(np.array([2.0, 1.0]), 1.0).tolist() == [0.8, 0.5]
    w, b = reg.ridge(np.array([[1.0], [3.0]]), np.array([0.0, 4.0]), 2.0)
    np.testing.assert_allclose([w[0], b], [1, 0], atol=1e-12)


def weight_of_copies(reg, k, lam=20.0):
    X, y = reg.three_features()
    return reg.ridge(np.column_stack([np.repeat(X[:, :1], k, axis=1), X[:, 1:]]), y, lam)[0][:k].sum()


def test_copies(reg):
    """1.33, 1.60 and 2.00 with 1, 2 and 101 columns, as if lam were halved; 10 times as large also 2.00; least squares 2.04."""
    X, y = reg.three_features()
    assert rounded([weight_of_copies(reg, k) for k in (1, 2, 101)], 2) == [1.33, 1.60, 2.00]
    assert round(10 * reg.ridge(X * [10, 1, 1], y, 20.0)[0][0], 2) == 2.00
    root2 = (
        math.sqrt(2) * reg.ridge(X * [math.sqrt(2), 1, 1], y, 20.0)[0][0]
    )  # its penalty is lam / 2 per unit of the old weight
    assert math.isclose(root2, weight_of_copies(reg, 2))
    least = [reg.ridge(X, y, 1e-9)[0][0], weight_of_copies(reg, 2, 1e-9), 10 * reg.ridge(X * [10, 1, 1], y, 1e-9)[0][0]]
    assert rounded(least, 2) == [2.04] * 3 and round(least[0], 3) == 2.045


def test_predictions_change_with_a_copy(reg):
    X, y = reg.three_features()
    twice = np.c_[X, X[:, 0]]
    (w, b), (v, c) = reg.ridge(X, y, 20.0), reg.ridge(twice, y, 20.0)
    assert math.isclose(v[0], v[3]) and np.abs(X @ w + b - twice @ v - c).max() > 0.1


def test_lasso_does_not_notice_copies(reg):
    X, y = reg.three_features()
    X, y = X - X.mean(axis=0), y - y.mean()
    sums = [
        reg.lasso_path(np.column_stack([np.repeat(X[:, :1], k, axis=1), X[:, 1:]]), y, [20.0])[0][:k].sum()
        for k in (1, 2, 10)
    ]
    assert rounded(sums, 2) == [1.48] * 3


# Task 4


def adam_without_loss(reg, lam, coupled, n_steps=100):
    w, state = np.ones(1), (np.zeros(1), np.zeros(1), 0)
    for _ in range(n_steps):
        w, state = reg.adam_step(w, np.zeros(1), state, lr=0.001, decay=lam, coupled=coupled)
    return w[0]


def test_adam_with_the_penalty_alone(reg):
    """Coupled 0.9017 for both, decoupled 0.9990 and 0.9048."""
    assert rounded([adam_without_loss(reg, lam, True) for lam in (0.01, 1.0)], 4) == [0.9017] * 2
    assert rounded([adam_without_loss(reg, lam, False) for lam in (0.01, 1.0)], 4) == [0.9990, 0.9048]
    first = [1 - adam_without_loss(reg, lam, True, 1) for lam in (0.01, 0.1, 1.0)]
    np.testing.assert_allclose(first, 0.001, rtol=1e-5)


def test_sgd_by_hand(reg):
    """To -1.1 either way, with the velocities 4.2 and 4; without momentum both ways always agree."""
    args = np.array([1.0]), np.array([3.0]), np.array([2.0])
    for coupled, velocity in ((True, 4.2), (False, 4.0)):
        got = reg.sgd_step(*args, lr=0.5, momentum=0.5, decay=0.2, coupled=coupled)
        np.testing.assert_allclose(np.ravel(got), [-1.1, velocity])
    same = [reg.sgd_step(*args, lr=0.5, decay=0.2, coupled=coupled)[0] for coupled in (True, False)]
    np.testing.assert_allclose(*same)


def test_gradients_times_100(reg):
    """With eps = 0, decoupled Adam takes the same path, and coupled Adam doesn't."""
    gradients = np.random.default_rng(0).normal(size=(5, 2))

    def path(factor, coupled):
        w, state = np.ones(2), (np.zeros(2), np.zeros(2), 0)
        for g in factor * gradients:
            w, state = reg.adam_step(w, g, state, lr=0.1, decay=0.5, coupled=coupled, eps=0.0)
        return w

    np.testing.assert_allclose(path(1, False), path(100, False))
    assert np.abs(path(1, True) - path(100, True)).max() > 0.01


# Task 5


def test_thresholds_by_hand(reg):
    np.testing.assert_allclose(reg.soft_threshold(np.array([1.5, -3.0, 0.2]), 1.0), [0.5, -2, 0])


def test_plain_steps_never_stop(reg):
    """The last four lie between -0.07 and 0.13; proximal steps are exactly 0."""
    v = w = np.ones(1)
    plain = []
    for _ in range(400):
        v = v - 0.1 * (v - 0.3 + np.sign(v))
        w = reg.proximal_step(w, np.ones((1, 1)), np.array([0.3]), 1.0, step=0.1)
        plain.append(v[0])
    assert rounded([min(plain[36:40]), max(plain[36:40])], 2) == [-0.07, 0.12]
    assert min(plain[20:]) >= -0.07 and max(plain[20:]) <= 0.13 and np.ptp(plain[-20:]) > 0.1
    assert w[0] == 0


# Task 6


def test_the_impostor(reg):
    """w3 wakes first; 0.69 alone at one half, (0.36, 0.42, 0.70) at a tenth, (0.99, 0.99, 0.01) at a thousandth."""
    X, y = reg.sum_of_two()
    np.testing.assert_allclose(y, X[:, 0] + X[:, 1])
    path = reg.lasso_path(X, y, reg.lambda_max(X, y) * np.array([1.001, 0.999, 0.5, 0.1, 0.001]), max_sweeps=20_000)
    assert not path[0].any() and np.flatnonzero(path[1]).tolist() == [2]
    assert path[2:].round(2).tolist() == [[0, 0, 0.69], [0.36, 0.42, 0.70], [0.99, 0.99, 0.01]]


def test_the_impostors_weight_rises_and_falls(reg):
    """To 1.1 on the way from one half to a tenth."""
    X, y = reg.sum_of_two()
    path = reg.lasso_path(X, y, reg.lambda_max(X, y) * np.geomspace(0.5, 0.1, 60), max_sweeps=20_000)
    assert path[:, 2].max().round(1) == 1.1


def test_nineteen_weights(reg):
    """20 examples, 50 features: 19 weights are not 0 in the end, and the fit is nearly perfect."""
    X, y = reg.few_examples()
    lams = reg.lambda_max(X, y) * np.geomspace(1, 1e-3, 10)
    path = reg.lasso_path(X, y, lams)
    assert np.count_nonzero(path[-1]) == 19 and np.linalg.matrix_rank(X) == 19
    assert ((y - X @ path[-1]) ** 2).sum() < 1e-4 * (y @ y)
    assert np.count_nonzero(reg.ridge(X, y, lams[-1])[0]) == 50


def test_lasso_by_hand(reg):
    """X = (2, 0), y = (3, 2) and lam = 2: the best u is 1; docstring's violations 2, 1, 0 and 5."""
    w, _ = reg.coordinate_sweep(
        np.array([7.0]), np.array([3.0, 2.0]) - np.array([14.0, 0.0]), np.array([[2.0], [0.0]]), 2.0
    )
    assert w.tolist() == [1]
    one = np.ones((1, 1)), np.array([3.0]), 1.0
    assert [reg.optimality_violation(np.array([w]), *one) for w in (0.0, 1.0, 2.0, -1.0)] == [2, 1, 0, 5]


def test_figures_ball_and_paths(reg):
    """One weight of the lasso is exactly 0 on a part of its path, and none of ridge's is."""
    X, y = reg.sum_of_two()
    lams = np.geomspace(100, 1, 10)
    assert (reg.lasso_path(X, y, lams) == 0).any() and all(reg.ridge(X, y, lam)[0].all() for lam in lams)


# Task 7


def test_sums_of_bias_and_variance(reg):
    """3.00, 1.41, 1.31, 1.70 and 2.97; the lowest sum is near 1; by hand 1 and 2."""
    s = np.array([2.0, 1.0, 0.1])
    sums = [sum(reg.ridge_bias_variance(s, np.ones(3), lam, 1.0)) for lam in (0, 0.5, 1, 3, 10)]
    assert rounded(sums, 2) == [3.00, 1.41, 1.31, 1.70, 2.97]
    grid = np.geomspace(0.01, 100, 400)
    best = grid[np.argmin([sum(reg.ridge_bias_variance(s, np.ones(3), lam, 1.0)) for lam in grid])]
    assert 0.8 < best < 1.25
    assert reg.ridge_bias_variance(np.ones(1), np.array([2.0]), 1.0, 8.0) == (1.0, 2.0)


def test_small_penalties_always_help(reg):
    """Near 0, the variance falls in proportion to lam, and the squared bias rises with its square."""
    args = np.array([3.0, 0.4]), np.array([5.0, -7.0])
    (bias, variance), (bias2, variance2) = (reg.ridge_bias_variance(*args, lam, 1.0) for lam in (1e-5, 2e-5))
    assert math.isclose(bias2 / bias, 4, rel_tol=1e-3) and math.isclose(
        (2 - variance2) / (2 - variance), 2, rel_tol=1e-3
    )
    assert bias + variance < 2


# Task 8


def fit(reg, A, y, B):
    w, b = reg.ridge(A, y, 1.0)
    return B @ w + b


def test_errors_on_pure_noise(reg):
    """0.85 for the mean; 1.31 chosen inside; 0.54 chosen on all rows; standardized 0.787 inside and 0.794 with all rows."""
    X, y = reg.pure_noise()
    parts = reg.folds(np.arange(50), 5)

    def choose_and_fit(A, y, B):
        kept = reg.best_features(A, y)
        return fit(reg, A[:, kept], y, B[:, kept])

    ways = (
        (lambda A, y, B: y.mean() + 0 * B[:, 0], X),
        (choose_and_fit, X),
        (lambda *args: fit(reg, *args), X[:, reg.best_features(X, y)]),
    )
    errors = [reg.cross_validate(way, data, y, parts).mean() for way, data in ways]
    assert rounded(errors, 2) == [0.85, 1.31, 0.54]
    inside = reg.cross_validate(lambda *args: fit(reg, *args), X, y, parts).mean()
    Z, leaked = (X - X.mean(axis=0)) / X.std(axis=0), 0.0
    for part in parts:
        train = np.setdiff1d(np.arange(50), part)
        leaked += ((y[part] - fit(reg, Z[train], y[train], Z[part])) ** 2).sum() / 50
    assert rounded([inside, leaked], 3) == [0.787, 0.794]


def test_two_examples_predict_each_other(reg):
    got = reg.leave_one_out(np.array([[1.0], [3.0]]), np.array([2.0, 7.0]), 0.5)
    np.testing.assert_allclose(got, [-5, 5])


# Task 9


def test_figure_shares(reg):
    """Curves of one color agree within 5% where s is 0.01, and descent's is the first above 0.9."""
    s = np.geomspace(0.01, 1, 200)
    for lam, n_steps in ((0.5, 2), (0.02, 50), (0.001, 1000)):
        kept, found = reg.shrinkage(s, lam), reg.descent_filter(s, 1.0, n_steps)
        assert math.isclose(kept[0], found[0], rel_tol=0.05)
        assert np.argmax(found > 0.9) < (np.argmax(kept > 0.9) or len(s))


def test_steps_for_ninety_percent(reg):
    """2, 11 and 1151; by hand 0.8 and 0.2 in one step, with the penalties 1 and 4; and Hint 2's three quarters."""
    steps = [next(t for t in range(2000) if reg.descent_filter(np.array([s]), 0.2, t)[0] >= 0.9) for s in (2, 1, 0.1)]
    assert steps == [2, 11, 1151]
    s = np.array([2.0, 1.0])
    np.testing.assert_allclose(reg.descent_filter(s, 0.2, 1), [0.8, 0.2])
    lams = reg.equivalent_penalty(s, 0.2, 1)
    np.testing.assert_allclose(lams, [1, 4])
    np.testing.assert_allclose(reg.shrinkage(s, lams), [0.8, 0.2])
    assert rounded([reg.descent_filter(np.ones(1), 0.5, t)[0] for t in (1, 2)], 2) == [0.5, 0.75]


def test_examples_for_many_functions(reg):
    """738 for one; 3501 for a million, which is about 5 times as many."""
    one, many = (reg.examples_needed(0.05, k, 0.05) for k in (1, 10**6))
    assert (one, many) == (738, 3501) and round(many / one) == 5


def test_risks(reg):
    """0.77, 0.79, 2.91, 1.39 and 0.26."""
    risks = [reg.minimum_norm_risk(n, 50, noise_variance=0.25) for n in (20, 30, 45, 60, 100)]
    assert rounded(risks, 2) == [0.77, 0.79, 2.91, 1.39, 0.26]


def test_ridge_gains_from_every_example(reg):
    """0.69, 0.58, 0.42, 0.32 and 0.18 with lam = 12.5, up to the error of a mean of 200 draws."""
    rng, risks = np.random.default_rng(0), []
    for n in (20, 30, 45, 60, 100):
        total = 0.0
        for _ in range(200):
            w, X = rng.normal(size=50), rng.normal(size=(n, 50))
            w /= np.linalg.norm(w)
            a = reg.dual_ridge(X @ X.T, X @ w + 0.5 * rng.normal(size=n), 12.5)
            total += ((X.T @ a - w) ** 2).sum() / 200
        risks.append(total)
    assert all(later < earlier - 0.03 for earlier, later in zip(risks, risks[1:]))
    assert risks == pytest.approx([0.69, 0.58, 0.42, 0.32, 0.18], abs=0.03)
