"""The regularization reference against scikit-learn, torch's optimizers and autograd, SciPy, all batches, and simulation."""

import math

import numpy as np
import pytest
import staff_files
import torch
from coursekit.exact import least_squares, subsets, symmetric_noise

linear_model = pytest.importorskip("sklearn.linear_model")
model_selection = pytest.importorskip("sklearn.model_selection")
preprocessing = pytest.importorskip("sklearn.preprocessing")
stats = pytest.importorskip("scipy.stats")
optimize = pytest.importorskip("scipy.optimize")


@pytest.fixture(scope="module")
def reg():
    return staff_files.reference("regularization")


@pytest.fixture(params=range(3))
def rng(request):
    return np.random.default_rng([20, request.param])


def data(rng, n=9, d=4):
    X = rng.normal(size=(n, d)) * rng.uniform(0.3, 3, size=d) + 2
    return X, X @ rng.normal(size=d) + rng.normal(size=n) - 4


def centered(rng, n=12, d=5):
    X, y = data(rng, n, d)
    return X - X.mean(axis=0), y - y.mean()


# Objective and conversions


@pytest.mark.parametrize("kind", ["squared", "logistic"])
def test_slopes_against_autograd(reg, rng, kind):
    X, y = data(rng)
    y = (y > y.mean()).astype(float) if kind == "logistic" else y
    w = torch.tensor(rng.normal(size=4), requires_grad=True)
    b = torch.tensor(float(rng.normal()), dtype=torch.float64, requires_grad=True)
    z, target = torch.from_numpy(X) @ w + b, torch.from_numpy(y)
    if kind == "squared":
        loss = 0.5 * torch.nn.functional.mse_loss(z, target, reduction="sum")
    else:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(z, target, reduction="sum")
    (loss + 0.65 * (w**2).sum()).backward()

    args = w.detach().numpy(), b.item(), X, y, 1.3
    assert math.isclose(reg.penalized_loss(*args, kind=kind), (loss + 0.65 * (w**2).sum()).item())
    slopes, slope = reg.penalized_gradient(*args, kind=kind)
    np.testing.assert_allclose(slopes, w.grad.numpy())
    assert math.isclose(slope, b.grad.item(), rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("solver", ["squared", "logistic"])
def test_no_slope_at_scikit_learns_minimum(reg, rng, solver):
    """Ridge's alpha is lam, and LogisticRegression's C is 1 / lam."""
    X, y = data(rng, 40)
    y = (y > y.mean()).astype(float) if solver == "logistic" else y
    model = (
        linear_model.Ridge(alpha=1.7)
        if solver == "squared"
        else linear_model.LogisticRegression(C=1 / 1.7, tol=1e-10, max_iter=10_000)
    )
    model.fit(X, y)

    slopes, slope = reg.penalized_gradient(
        model.coef_.ravel(), float(np.ravel(model.intercept_)[0]), X, y, 1.7, kind=solver
    )
    assert np.abs(slopes).max() < 1e-3 and abs(slope) < 1e-3


def minimum(X, y, lam, name, norm):
    """The best weights of an objective of the table, by a minimizer; the intercept is 0 for centered data."""
    n = len(y)
    squares = {"sum": 0.5, "mean": 1 / n, "sklearn": 1 / (2 * n) if norm == 1 else 1.0, "torch": 1 / n}[name]
    price = {"sum": 0.5, "mean": 1.0, "sklearn": 1.0, "torch": 0.5}[name] * lam
    if norm == 2:
        return np.linalg.solve(squares * X.T @ X + price * np.eye(X.shape[1]), squares * X.T @ y)
    model = linear_model.Lasso(alpha=lam / (2 * n * squares), fit_intercept=False, tol=1e-12, max_iter=100_000)
    return model.fit(X, y).coef_


@pytest.mark.parametrize("norm", [1, 2])
def test_converted_penalties_have_the_same_minimum(reg, rng, norm):
    X, y = centered(rng)
    names = ("sum", "mean", "sklearn") if norm == 1 else ("sum", "mean", "sklearn", "torch")
    for source in names:
        want = minimum(X, y, 0.9, source, norm)
        for target in names:
            lam = reg.convert_penalty(0.9, len(y), source, target, norm=norm)
            np.testing.assert_allclose(minimum(X, y, lam, target, norm), want, rtol=1e-6, atol=1e-8)


def test_torchs_weight_decay(reg, rng):
    """SGD on a mean with weight decay ends where scikit-learn's Ridge ends with the converted penalty."""
    X, y = centered(rng)
    X /= X.std(axis=0)
    lam = reg.convert_penalty(2.0, len(y), "sklearn", "torch", norm=2)
    w = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.1, weight_decay=lam)
    for _ in range(4000):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(torch.from_numpy(X) @ w, torch.from_numpy(y)).backward()
        optimizer.step()

    want = linear_model.Ridge(alpha=2.0, fit_intercept=False).fit(X, y).coef_
    np.testing.assert_allclose(w.detach().numpy(), want, rtol=1e-6, atol=1e-8)


# Batches


@pytest.mark.parametrize("size", range(1, 7))
def test_variance_over_all_batches(reg, rng, size):
    g = rng.normal(size=(6, 3))
    batches = g[subsets(6, size)].mean(axis=1)

    want = ((batches - g.mean(axis=0)) ** 2).sum(axis=1).mean()
    assert math.isclose(reg.batch_variance(g, size), want, abs_tol=1e-14)


@pytest.mark.parametrize(("K", "limit"), [(1, 2.0), (2, 2.0), (3, 1.5), (5, 0.955), (10, 0.489)])
def test_stability_by_eigenvalues(reg, K, limit):
    """Settles just below the limit and not just above, as the companion matrix says."""
    for lr, settles in ((0.99 * limit, True), (1.01 * limit, False)):
        companion = np.diag(np.ones(K - 1), -1)
        companion[0] -= lr / K
        companion[0, 0] += 1
        assert (np.abs(np.linalg.eigvals(companion)).max() < 1) == settles
        path = reg.averaged_descent(lambda w: w, np.ones(1), lr=lr, n_average=K, n_steps=3000)
        assert (np.abs(path[-20:]).max() < 0.1) == settles


# Ridge


@pytest.mark.parametrize("shape", [(9, 4), (5, 12)])
def test_ridge_against_scikit_learn(reg, rng, shape):
    X, y = data(rng, *shape)
    model = linear_model.Ridge(alpha=0.8).fit(X, y)

    w, b = reg.ridge(X, y, 0.8)
    np.testing.assert_allclose(w, model.coef_)
    assert math.isclose(b, model.intercept_)


def test_dual_and_primal_agree(reg, rng):
    X, y = data(rng, 5, 8)
    rows, targets = np.concatenate([X, np.sqrt(0.6) * np.eye(8)]), np.append(y, np.zeros(8))

    np.testing.assert_allclose(X.T @ reg.dual_ridge(X @ X.T, y, 0.6), least_squares(rows, targets))


def test_shares_in_the_directions_of_the_data(reg, rng):
    X, y = centered(rng)
    _, s, Vt = np.linalg.svd(X, full_matrices=False)

    found, least = Vt @ reg.ridge(X, y, 2.2)[0], Vt @ least_squares(X, y)
    np.testing.assert_allclose(found / least, reg.shrinkage(s, 2.2))
    hat = X @ np.linalg.solve(X.T @ X + 2.2 * np.eye(5), X.T)
    assert math.isclose(reg.shrinkage(s, 2.2).sum(), np.trace(hat))


# Optimizers


@pytest.mark.parametrize(
    ("name", "coupled", "make"),
    [
        ("sgd_step", True, lambda w: torch.optim.SGD([w], lr=0.05, momentum=0.7, weight_decay=0.3)),
        ("adam_step", True, lambda w: torch.optim.Adam([w], lr=0.05, weight_decay=0.3)),
        ("adam_step", False, lambda w: torch.optim.AdamW([w], lr=0.05, weight_decay=0.3)),
    ],
)
def test_optimizers_against_torch(reg, rng, name, coupled, make):
    start, gradients = rng.normal(size=4), rng.normal(size=(8, 4))
    tensor = torch.tensor(start, requires_grad=True)
    optimizer = make(tensor)
    w, state = start, np.zeros(4) if name == "sgd_step" else (np.zeros(4), np.zeros(4), 0)
    options = {"momentum": 0.7} if name == "sgd_step" else {}
    for g in gradients:
        tensor.grad = torch.tensor(g)
        optimizer.step()
        w, state = getattr(reg, name)(w, g, state, lr=0.05, decay=0.3, coupled=coupled, **options)
        np.testing.assert_allclose(w, tensor.detach().numpy())


def test_sgd_without_momentum_knows_no_difference(reg, rng):
    w, g = rng.normal(size=(2, 4))
    both = [reg.sgd_step(w, g, np.zeros(4), lr=0.1, decay=0.5, coupled=coupled)[0] for coupled in (True, False)]

    np.testing.assert_allclose(*both)


def test_scaled_gradients_leave_decoupled_adam_alone(reg, rng):
    gradients = rng.normal(size=(6, 3))

    def path(factor, coupled):
        w, state = np.ones(3), (np.zeros(3), np.zeros(3), 0)
        for g in factor * gradients:
            w, state = reg.adam_step(w, g, state, lr=0.1, decay=0.4, coupled=coupled, eps=0.0)
        return w

    np.testing.assert_allclose(path(1, False), path(100, False))
    assert np.abs(path(1, True) - path(100, True)).max() > 1e-3


# Lasso


def test_soft_threshold_against_a_minimizer(reg, rng):
    for z in 2 * rng.normal(size=5):
        found = optimize.minimize_scalar(
            lambda u, z=z: (u - z) ** 2 / 2 + 0.7 * abs(u), bounds=(-9, 9), method="bounded", options={"xatol": 1e-10}
        )
        assert abs(reg.soft_threshold(z, 0.7) - found.x) < 1e-6


@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_path_against_scikit_learn(reg, rng, alpha):
    X, y = centered(rng)
    lams = reg.lambda_max(X, y, alpha=alpha) * np.array([0.7, 0.2, 0.05])
    path = reg.lasso_path(X, y, lams, alpha=alpha, tol=1e-12, max_sweeps=100_000)

    for lam, w in zip(lams, path):
        model = linear_model.ElasticNet(
            alpha=lam / len(y), l1_ratio=alpha, fit_intercept=False, tol=1e-13, max_iter=1_000_000
        )
        np.testing.assert_allclose(w, model.fit(X, y).coef_, rtol=1e-5, atol=1e-7)
        assert reg.optimality_violation(w, X, y, lam, alpha=alpha) < 1e-8
        assert reg.optimality_violation(w + 0.01, X, y, lam, alpha=alpha) > 1e-3


def test_knots_against_lars(reg, rng):
    """At the knots of the least-angle path, scaled by n, the weights are those of the path."""
    X, y = centered(rng)
    alphas, _, coefficients = linear_model.lars_path(X, y, method="lasso")

    assert math.isclose(alphas[0] * len(y), reg.lambda_max(X, y))
    path = reg.lasso_path(X, y, alphas[:-1] * len(y), tol=1e-12, max_sweeps=100_000)
    np.testing.assert_allclose(path, coefficients.T[:-1], atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 0.4])
def test_weights_wake_below_the_largest_penalty(reg, rng, alpha):
    X, y = centered(rng)
    lam = reg.lambda_max(X, y, alpha=alpha)
    above, below = reg.lasso_path(X, y, np.array([1.001, 0.999]) * lam, alpha=alpha)

    assert not above.any() and np.count_nonzero(below) == 1


def test_elastic_net_is_a_lasso_on_more_rows(reg, rng):
    X, y = centered(rng)
    lam, alpha = 3.0, 0.6
    rows, targets = np.concatenate([X, math.sqrt(lam * (1 - alpha)) * np.eye(5)]), np.append(y, np.zeros(5))
    w = rng.normal(size=5)

    got = reg.coordinate_sweep(w, y - X @ w, X, lam, alpha=alpha)[0]
    np.testing.assert_allclose(got, reg.coordinate_sweep(w, targets - rows @ w, rows, lam * alpha)[0])
    assert math.isclose(
        reg.optimality_violation(w, X, y, lam, alpha=alpha), reg.optimality_violation(w, rows, targets, lam * alpha)
    )


def test_proximal_steps_end_where_sweeps_end(reg, rng):
    X, y = centered(rng)
    lam, alpha = 4.0, 0.7
    step = 1 / np.linalg.norm(X, 2) ** 2
    w = np.zeros(5)
    for _ in range(20_000):
        w = reg.proximal_step(w, X, y, lam, step=step, alpha=alpha)

    np.testing.assert_allclose(w, reg.lasso_path(X, y, [lam], alpha=alpha, tol=1e-12, max_sweeps=100_000)[0], atol=1e-8)


# Bias and variance


def test_bias_and_variance_of_ridge_by_exact_noise(reg, rng):
    X = rng.normal(size=(6, 3))
    _, s, Vt = np.linalg.svd(X, full_matrices=False)
    w, lam = rng.normal(size=3), 1.4
    hat = X @ np.linalg.solve(X.T @ X + lam * np.eye(3), X.T)
    predictions = (X @ w + symmetric_noise(6, std=0.8)) @ hat

    bias, variance = reg.bias_variance(predictions, X @ w)
    np.testing.assert_allclose((6 * bias, 6 * variance), reg.ridge_bias_variance(s, Vt @ w, lam, 0.64))
    error = ((predictions - X @ w) ** 2).mean()
    assert math.isclose(bias + variance, error)


# Cross-validation


def test_folds_are_scikit_learns(reg, rng):
    n, k = int(rng.integers(7, 20)), int(rng.integers(2, 6))
    want = [held_out for _, held_out in model_selection.KFold(k).split(np.zeros(n))]

    for ours, theirs in zip(reg.folds(np.arange(n), k), want, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_cross_validation_against_a_pipeline(reg, rng):
    pipeline = pytest.importorskip("sklearn.pipeline")
    X, y = data(rng, 13)
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge(alpha=1.2))
    want = model_selection.cross_val_predict(model, X, y, cv=model_selection.KFold(4))

    def fit_predict(X_train, y_train, X_test):
        w, b = reg.ridge(X_train, y_train, 1.2)
        return X_test @ w + b

    np.testing.assert_allclose(reg.cross_validate(fit_predict, X, y, reg.folds(np.arange(13), 4)), (y - want) ** 2)


@pytest.mark.parametrize("shape", [(9, 4), (6, 11)])
def test_leave_one_out_against_n_fits(reg, rng, shape):
    X, y = data(rng, *shape)
    predicted = model_selection.cross_val_predict(linear_model.Ridge(alpha=0.7), X, y, cv=model_selection.LeaveOneOut())

    np.testing.assert_allclose(reg.leave_one_out(X, y, 0.7), y - predicted)


def test_one_standard_error_against_scipy(reg, rng):
    errors, lams = rng.uniform(1, 2, size=(6, 10)), rng.permutation(np.geomspace(0.1, 10, 6))
    best = errors.mean(axis=1).argmin()
    allowed = lams[errors.mean(axis=1) <= errors[best].mean() + stats.sem(errors[best])]

    assert reg.one_standard_error(errors, lams) == max(allowed)


# Generalization


def test_filter_against_steps_of_descent(reg, rng):
    X, y = centered(rng)
    _, s, Vt = np.linalg.svd(X, full_matrices=False)
    lr, w = 0.9 / s[0] ** 2, np.zeros(5)
    for _ in range(25):
        w = w - lr * reg.penalized_gradient(w, 0.0, X, y, 0.0)[0]

    np.testing.assert_allclose(Vt @ w / (Vt @ least_squares(X, y)), reg.descent_filter(s, lr, 25))
    lams = reg.equivalent_penalty(s, lr, 25)
    ridge = np.linalg.solve(X.T @ X + Vt.T @ np.diag(lams) @ Vt, X.T @ y)
    np.testing.assert_allclose(ridge, w)


def test_small_directions_are_penalized_alike(reg):
    """Toward s = 0, the penalty is 1 / (lr steps); and for slow descent both filters agree up to a factor of 1.30."""
    np.testing.assert_allclose(reg.equivalent_penalty(np.array([1e-3]), 0.1, 50), [1 / 5], rtol=1e-4)
    s = np.geomspace(1e-3, 1, 4000)
    ratio = reg.descent_filter(s, 0.001, 1000_000) / reg.shrinkage(s, 1 / 1000)
    assert 0.999 < ratio.min() and 1.29 < ratio.max() < 1.3


@pytest.mark.parametrize(("gap", "k", "delta"), [(0.1, 1, 0.05), (0.1, 20, 0.05), (0.2, 100, 0.3)])
def test_examples_are_enough_by_the_binomial(reg, gap, k, delta):
    """The bounds promise delta with n examples and not with one fewer; the exact probability for independent functions is lower."""
    n = reg.examples_needed(gap, k, delta)

    assert 2 * k * math.exp(-2 * n * gap**2) <= delta < 2 * k * math.exp(-2 * (n - 1) * gap**2)
    p = 0.4
    wrong = np.arange(n + 1)
    one = stats.binom.pmf(wrong, n, p)[np.abs(wrong / n - p) > gap].sum()
    assert 1 - (1 - one) ** k <= delta


@pytest.mark.parametrize("n", [30, 45, 60])
def test_risk_formula_by_simulation(reg, n):
    """400 draws; the shortest of the best fits, without anything of the reference's."""
    rng, risks = np.random.default_rng(n), []
    for _ in range(400):
        w, X = rng.normal(size=50), rng.normal(size=(n, 50))
        w /= np.linalg.norm(w)
        risks.append(((np.linalg.pinv(X) @ (X @ w + 0.5 * rng.normal(size=n)) - w) ** 2).sum())

    error = np.std(risks, ddof=1) / 20
    assert abs(np.mean(risks) - reg.minimum_norm_risk(n, 50, noise_variance=0.25)) < 4 * error
