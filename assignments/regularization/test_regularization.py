"""Public checks of the regularization assignment: values done by hand, and independent methods. Run `pytest` in this folder."""

import math

import numpy as np
import pytest
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from coursekit.exact import Counted, subsets
from gradescope_utils.autograder_utils.decorators import number, tags, weight

# Each check needs the one function that it is about: where that function calls another one of yours, the check lends it a stand-in.


# Task 1: two examples with two features


def two_examples():
    return np.array([2.0, -1.0]), 1.0, np.array([[1.0, 0.0], [1.0, 3.0]]), np.array([1.0, 0.0])


@number("1.p1")
@weight(1)
@tags("objective")
def test_penalized_loss_by_hand(impl):
    """The predictions 3 and 0 for 1 and 0 cost 2 together. |w|^2 = 5, so lam = 4 costs 10."""
    got = assert_leaves_arguments(impl.penalized_loss, *two_examples(), 4.0, name="penalized_loss")

    assert_close(got, 12.0, name="penalized_loss")


@number("1.p2")
@weight(1)
@tags("objective")
def test_logistic_loss_by_hand(impl):
    """z = log 3 gives y = 1 the probability 3/4; z = 800 costs next to nothing for y = 1, and 800 for y = 0."""
    w, X = np.array([1.0]), np.array([[math.log(3)], [800.0], [800.0]])

    got = impl.penalized_loss(w, 0.0, X, np.array([1.0, 1.0, 0.0]), 0.0, kind="logistic")
    assert_close(got, math.log(4 / 3) + 800, name="penalized_loss")


def loss_again(w, b, X, y, lam, kind):
    z = X @ w + b
    each = 0.5 * (z - y) ** 2 if kind == "squared" else np.log(1 + np.exp(z)) - y * z
    return each.sum() + 0.5 * lam * (w**2).sum()


@number("1.p3")
@weight(1)
@tags("objective")
@pytest.mark.parametrize("kind", ["squared", "logistic"])
def test_penalized_gradient_against_differences(impl, kind):
    """Move one entry by a little to both sides: the difference of the loss, per unit, is its slope."""
    w, b, X, y = two_examples()
    theta = np.append(w, b)
    moves = 1e-5 * np.eye(3)
    want = np.array([
        loss_again((theta + move)[:2], (theta + move)[2], X, y, 4.0, kind) - loss_again((theta - move)[:2], (theta - move)[2], X, y, 4.0, kind)
        for move in moves
    ]) / 2e-5  # fmt: skip

    slopes, slope = assert_leaves_arguments(impl.penalized_gradient, w, b, X, y, 4.0, kind=kind, name="penalized_gradient")
    # the error of a central difference is some 1e-10 here
    assert_close(slopes, want[:2], rtol=1e-7, atol=1e-8, name="the slopes in w")
    assert_close(slope, float(want[2]), rtol=1e-7, atol=1e-8, name="the slope in b")


@number("1.p4")
@weight(1)
@tags("objective")
@pytest.mark.parametrize(("name", "norm", "want"), [("sklearn", 1, 30.0), ("torch", 2, 15.0)])
def test_convert_penalty_by_hand(impl, name, norm, want):
    """Ten examples, lam = 3: both objectives, multiplied by a number, turn into each other."""
    assert_close(impl.convert_penalty(3.0, 10, name, "sum", norm=norm), want, name="convert_penalty")


# Task 2


@number("2.p1")
@weight(1)
@tags("batches")
@pytest.mark.parametrize("size", [1, 2, 4])
def test_batch_variance_against_all_batches(impl, size):
    """Five examples with two weights: the mean over all batches, one after the other."""
    gradients = np.array([[1.0, 0.0], [2.0, -1.0], [0.0, 5.0], [3.0, 3.0], [4.0, 0.0]])
    batches = gradients[subsets(5, size)].mean(axis=1)
    want = float(((batches - gradients.mean(axis=0)) ** 2).sum(axis=1).mean())

    assert_close(assert_leaves_arguments(impl.batch_variance, gradients, size, name="batch_variance"), want, name="batch_variance")


@number("2.p2")
@weight(1)
@tags("batches")
@pytest.mark.parametrize(("n_average", "want"), [(1, [8.0, 4.0, 2.0, 1.0]), (2, [8.0, 4.0, 1.0, -0.25])])
def test_averaged_descent_by_hand(impl, n_average, want):
    """The gradient is w itself and lr is 1/2. With averages of two: from 8 to 4 by 8, to 1 by the mean of 8 and 4, and so on."""
    gradient = Counted(lambda w: w)
    options = {"lr": 0.5, "n_average": n_average, "n_steps": 3}

    got = assert_leaves_arguments(impl.averaged_descent, gradient, np.array([8.0]), **options, name="averaged_descent")
    assert_close(got, np.array(want)[:, None], name="averaged_descent")
    assert len(gradient.calls) == 3, f"three steps need three gradients, and yours took {len(gradient.calls)}"


# Task 3


@number("3.p1")
@weight(1)
@tags("ridge")
@pytest.mark.parametrize("d", [2, 9])
def test_ridge_against_more_rows(impl, d):
    """Plain least squares with sqrt(lam) times I below X, and zeros below y and below the ones, gives the same w and b."""
    rng = np.random.default_rng(0)
    X, y, lam = rng.normal(size=(6, d)) + 1, rng.normal(size=6) + 5, 0.5
    with_intercept = np.column_stack([X, np.ones(6)])
    more = np.column_stack([math.sqrt(lam) * np.eye(d), np.zeros(d)])
    want = np.linalg.lstsq(np.concatenate([with_intercept, more]), np.append(y, np.zeros(d)), rcond=None)[0]

    w, b = assert_leaves_arguments(impl.ridge, X, y, lam, name="ridge")
    assert_close(w, want[:d], name="w")
    assert_close(b, float(want[d]), name="b")


@number("3.p2")
@weight(1)
@tags("ridge")
def test_dual_ridge_by_hand(impl):
    """One feature, the examples 1 and 2 with the targets 1 and 2, and lam = 5: w = 5 / (5 + 5)."""
    X, y = np.array([[1.0], [2.0]]), np.array([1.0, 2.0])

    a = assert_leaves_arguments(impl.dual_ridge, X @ X.T, y, 5.0, name="dual_ridge")
    assert a.shape == (2,), f"a must have the shape (2,), got {a.shape}"
    assert_close(X.T @ a, np.array([0.5]), name="X^T a")


@number("3.p3")
@weight(1)
@tags("ridge")
def test_shrinkage_by_hand(impl):
    """Singular values 2, 1 and 0 with lam = 1; and with lam = 0, where least squares keeps all that it has."""
    s = np.array([2.0, 1.0, 0.0])

    assert_close(assert_leaves_arguments(impl.shrinkage, s, 1.0, name="shrinkage"), np.array([0.8, 0.5, 0.0]), name="shrinkage")
    assert_close(impl.shrinkage(s, 0.0), np.array([1.0, 1.0, 0.0]), name="shrinkage")


# Task 4: w = 1, lr = 1/2, lam = 1/5


@number("4.p1")
@weight(1)
@tags("weight_decay")
@pytest.mark.parametrize(("coupled", "want"), [(True, (-1.1, 4.2)), (False, (-1.1, 4.0))], ids=["coupled", "decoupled"])
def test_sgd_step_by_hand(impl, coupled, want):
    """Gradient 3, old velocity 2, momentum 1/2. One step leads to the same weights either way, with another velocity."""
    args = np.array([1.0]), np.array([3.0]), np.array([2.0])

    got = assert_leaves_arguments(impl.sgd_step, *args, lr=0.5, momentum=0.5, decay=0.2, coupled=coupled, name="sgd_step")
    assert_close(got, tuple(np.array([value]) for value in want), name="(weights, velocity)")


@number("4.p2")
@weight(1)
@tags("weight_decay")
@pytest.mark.parametrize(("coupled", "want"), [(True, 0.5), (False, 0.4)], ids=["coupled", "decoupled"])
def test_first_adam_step_by_hand(impl, coupled, want):
    """The first step from w = 1 with the gradient 3, lr = 1/2, lam = 1/5 and eps = 0."""
    w, gradient, start = np.array([1.0]), np.array([3.0]), (np.zeros(1), np.zeros(1), 0)

    got, (m, v, t) = assert_leaves_arguments(
        impl.adam_step, w, gradient, start, lr=0.5, decay=0.2, coupled=coupled, beta1=0.5, beta2=0.75, eps=0.0, name="adam_step"
    )
    assert_close(got, np.array([want]), name="the weights")
    g = 3.2 if coupled else 3.0
    assert_close((m, v, t), (np.array([g / 2]), np.array([g**2 / 4]), 1), name="the state")


# Task 5


@number("5.p1")
@weight(1)
@tags("soft_threshold")
@pytest.mark.parametrize("z", [-2.0, -0.4, 0.3, 1.25])
def test_soft_threshold_against_a_grid(impl, z):
    """No u on a fine grid is better than yours, for a threshold of 1/2."""
    grid = np.linspace(-3, 3, 6001)

    def objective(u):
        return (u - z) ** 2 / 2 + 0.5 * np.abs(u)

    got = impl.soft_threshold(np.array([[z, 2.5]]), 0.5)
    best = float(grid[objective(grid).argmin()])
    assert_close(got, np.array([[best, 2.0]]), atol=1e-3, name=f"the best u for z = {z} and z = 2.5")  # the grid is that fine


def given_threshold(z, t):
    """The best of three candidates: the two smooth sides of the kink, if they lie on their side, and 0."""
    z = np.asarray(z, dtype=float)
    choices = np.stack([np.maximum(z - t, 0), np.minimum(z + t, 0), np.zeros_like(z)])
    costs = (choices - z) ** 2 / 2 + t * np.abs(choices)
    return np.take_along_axis(choices, costs.argmin(axis=0)[None], axis=0)[0]


given_threshold.unrecorded = True  # how often it is called is free


@number("5.p2")
@weight(1)
@tags("soft_threshold")
def test_proximal_step_by_hand(impl):
    """X = I, so a step of 1/2 from (4, 0) leads halfway to y = (8, 2): to 6 and 1. With lam = 4, alpha = 1/2: u minimizes
    (u - v)^2 / 2 + |u| + u^2 / 2."""
    w, X, y = np.array([4.0, 0.0]), np.eye(2), np.array([8.0, 2.0])

    got = assert_leaves_arguments(
        impl.proximal_step, w, X, y, 4.0, step=0.5, alpha=0.5, soft_threshold=given_threshold, name="proximal_step"
    )
    assert_close(got, np.array([2.5, 0.0]), name="proximal_step")


# Task 6: two columns at a right angle, (2, 0) and (0, 1), and y = (3, 2)

X6, Y6 = np.array([[2.0, 0.0], [0.0, 1.0]]), np.array([3.0, 2.0])


@number("6.p1")
@weight(1)
@tags("lasso")
@pytest.mark.parametrize("alpha", [1.0, 0.5], ids=["lasso", "elastic net"])
def test_lambda_max_is_where_the_first_weight_wakes(impl, alpha):
    """Just below it, a little of one of the weights, to one side, makes the objective lower. Just above it, none does."""
    lam = assert_leaves_arguments(impl.lambda_max, X6, Y6, alpha=alpha, name="lambda_max")

    def lowest(lam):
        moves = [h * sign * e for h in (1e-4, 1e-2) for sign in (1, -1) for e in np.eye(2)]
        penalties = [lam * (alpha * np.abs(w).sum() + (1 - alpha) * (w**2).sum() / 2) for w in moves]
        losses = [((Y6 - X6 @ w) ** 2).sum() / 2 for w in moves]
        return min(loss + penalty for loss, penalty in zip(losses, penalties)) - (Y6**2).sum() / 2

    assert lowest(0.999 * lam) < 0, "with a penalty a little smaller, the weights 0 are still the best"
    assert lowest(1.001 * lam) > 0, "with a penalty a little larger, the weights 0 are not the best"


@number("6.p2")
@weight(1)
@tags("lasso")
@pytest.mark.parametrize(("alpha", "want", "left"), [(1.0, [1, 0, 0], [1, 2]), (0.5, [1, 0.5, 0], [1, 1.5])], ids=["lasso", "elastic net"])
def test_coordinate_sweep_by_hand(impl, alpha, want, left):
    """lam = 2 and a third column of zeros. For the lasso, the first weight minimizes (3 - 2 u)^2 / 2 + 2 |u|, whatever it was
    before: at 1. For alpha = 1/2, it minimizes (3 - 2 u)^2 / 2 + |u| + u^2 / 2: at 1, too, and the second weight is 1/2."""
    X, w = np.c_[X6, np.zeros(2)], np.array([5.0, 7.0, 3.0])
    got = assert_leaves_arguments(
        impl.coordinate_sweep, w, Y6 - X @ w, X, 2.0, alpha=alpha, soft_threshold=given_threshold, name="coordinate_sweep"
    )

    assert_close(got, (np.array(want, dtype=float), np.array(left, dtype=float)), name="(weights, residual)")


@number("6.p3")
@weight(1)
@tags("lasso")
@pytest.mark.parametrize(("places", "want"), [((0.0,), [2.0]), ((1.0, 2.0, -1.0), [1.0, 0.0, 5.0])], ids=["kink", "elsewhere"])
def test_optimality_violation_by_hand(impl, places, want):
    """(3 - w)^2 / 2 + |w|: at 0, the slopes are -4 and -2. At 1, 2 and -1, the slopes are -1, 0 and -5."""
    args = np.ones((1, 1)), np.array([3.0]), 1.0
    got = [assert_leaves_arguments(impl.optimality_violation, np.array([w]), *args, name="optimality_violation") for w in places]

    assert_close(got, want, name="optimality_violation")


@number("6.p4")
@weight(1)
@tags("lasso")
def test_lasso_path_goes_from_large_to_small(impl):
    """A lent sweep moves each weight halfway to 1/lam. It shows with which penalties it is called, and from where."""
    sweep = Counted(lambda w, residual, X, lam, *, alpha: ((w + 1 / lam) / 2, residual))

    got = assert_leaves_arguments(
        impl.lasso_path, X6, Y6, np.array([0.5, 2.0, 1.0]), tol=0.2, coordinate_sweep=sweep, name="lasso_path"
    )
    assert_close([call[3] for call in sweep.calls], [2.0, 2.0, 1.0, 1.0, 0.5, 0.5, 0.5], name="the penalties, in the order of the sweeps")
    assert_close(got, np.array([[1.85546875] * 2, [0.375] * 2, [0.84375] * 2]), name="lasso_path")


# Task 7


@number("7.p1")
@weight(1)
@tags("bias_variance")
def test_bias_variance_by_hand(impl):
    """Two training sets, two test points with the truth 1 and 5: predictions 2 and 4 at the first, 5 and 5 at the second."""
    got = assert_leaves_arguments(
        impl.bias_variance, np.array([[2.0, 5.0], [4.0, 5.0]]), np.array([1.0, 5.0]), name="bias_variance"
    )

    assert_close(got, (2.0, 0.5), name="(squared bias, variance)")


@number("7.p2")
@weight(1)
@tags("bias_variance")
@pytest.mark.parametrize("part", [0, 1], ids=["bias", "variance"])
def test_ridge_bias_variance_against_made_noise(impl, part):
    """Four vectors of noise with mean 0 and independent entries of variance 9/2: fit each with least squares on more rows."""
    s, w, lam = np.array([3.0, 0.5]), np.array([1.0, -2.0]), 0.7
    noise = 3.0 * np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    more = np.concatenate([np.diag(s), math.sqrt(lam) * np.eye(2)])
    predictions = np.array([
        s * np.linalg.lstsq(more, np.append(s * w + one, np.zeros(2)), rcond=None)[0] for one in noise
    ])  # fmt: skip
    mean = sum(predictions) / 4
    want = sum((mean - s * w) ** 2), sum(sum((one - mean) ** 2) for one in predictions) / 4

    got = assert_leaves_arguments(impl.ridge_bias_variance, s, w, lam, 4.5, name="ridge_bias_variance")
    assert_close(got[part], float(want[part]), name=("squared bias", "variance")[part])


# Task 8


@number("8.p1")
@weight(1)
@tags("cross_validation")
def test_cross_validate_by_hand(impl):
    """Example 2 is held out, then 0 and 1: the model is shown the others, standardized. It predicts the features' sum."""
    X, y = np.array([[1.0, 4.0], [3.0, 4.0], [6.0, 5.0]]), np.array([10.0, 20.0, 30.0])
    seen = []

    def fit_predict(X_train, y_train, X_test):
        seen.append((X_train, y_train, X_test))
        return X_test.sum(axis=1)

    got = assert_leaves_arguments(
        impl.cross_validate, fit_predict, X, y, [np.array([2]), np.array([1, 0])], name="cross_validate"
    )
    assert len(seen) == 2, f"two folds need two fits, and yours took {len(seen)}"
    assert_close(seen[0][0], np.array([[-1.0, 0.0], [1.0, 0.0]]), name="the training features of the first fold")
    assert_close(seen[0][1], np.array([10.0, 20.0]), name="the training targets of the first fold")
    assert_close(seen[0][2], np.array([[4.0, 1.0]]), name="the test features of the first fold")
    assert_close(got, np.array([256.0, 576.0, 625.0]), name="cross_validate")


@number("8.p2")
@weight(1)
@tags("cross_validation")
@pytest.mark.parametrize("d", [2, 7])
def test_leave_one_out_against_five_fits(impl, d):
    """Five examples: leave each out in turn, fit the others by least squares on more rows, and predict it."""
    rng = np.random.default_rng(1)
    X, y, lam = rng.normal(size=(5, d)) + 1, rng.normal(size=5) + 3, 0.5
    more = np.column_stack([math.sqrt(lam) * np.eye(d), np.zeros(d)])
    want = []
    for i in range(5):
        rows = np.column_stack([np.delete(X, i, axis=0), np.ones(4)])
        theta = np.linalg.lstsq(np.concatenate([rows, more]), np.append(np.delete(y, i), np.zeros(d)), rcond=None)[0]
        want.append(y[i] - X[i] @ theta[:d] - theta[d])

    assert_close(assert_leaves_arguments(impl.leave_one_out, X, y, lam, name="leave_one_out"), np.array(want), name="leave_one_out")


@number("8.p3")
@weight(1)
@tags("cross_validation")
def test_one_standard_error_by_hand(impl):
    """The lowest mean is 2, its errors have the deviation sqrt(2), and n = 2, so the limit is 3: the mean 2.9 is allowed, 3.1 isn't."""
    errors = np.array([[3.1, 3.1], [1.0, 3.0], [2.9, 2.9], [2.5, 2.5]])

    got = assert_leaves_arguments(impl.one_standard_error, errors, np.array([9.0, 1.0, 4.0, 2.0]), name="one_standard_error")
    assert_close(got, 4.0, name="one_standard_error")


# Task 9


@number("9.p1")
@weight(1)
@tags("generalize")
@pytest.mark.parametrize("n_steps", [1, 7])
def test_descent_filter_against_a_loop(impl, n_steps):
    """Walk: each direction is a weight of its own, whose least-squares value is 1 here."""
    s, lr, w = np.array([2.0, 1.0, 0.3]), 0.2, np.zeros(3)
    for _ in range(n_steps):
        w = w + lr * s * (s - s * w)

    assert_close(assert_leaves_arguments(impl.descent_filter, s, lr, n_steps, name="descent_filter"), w, name="descent_filter")


@number("9.p2")
@weight(1)
@tags("generalize")
def test_equivalent_penalty_by_hand(impl):
    """Singular value 1 and lr = 1/2: two steps find 3/4, and ridge keeps 3/4 with the penalty 1/3."""
    got = assert_leaves_arguments(impl.equivalent_penalty, np.array([1.0]), 0.5, 2, name="equivalent_penalty")

    assert_close(got, np.array([1 / 3]), name="equivalent_penalty")


@number("9.p3")
@weight(1)
@tags("generalize")
def test_examples_needed_by_hand(impl):
    """One function, a gap of 1/10 and delta = 2 exp(-4.01): 200.5 examples would do, so 201. Many functions are another check's."""
    assert_close(impl.examples_needed(0.1, 1, 2 * math.exp(-4.01)), 201, name="examples_needed")
