"""Graded checks of the regularization assignment.

Values are compared with the reference's in one check for each feature, on inputs where the other features make no difference: one
kind of loss at a time, no momentum where Adam is another check's business, alpha = 1 where the elastic net is. Properties are asserted
on the submission's own answers. Where a function calls another one of the student's, a right one is lent.
"""

import numpy as np
import pytest
from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close
from coursekit.exact import symmetric_noise
from gradescope_utils.autograder_utils.decorators import number, tags, weight


def data(rng, n=7, d=3, *, offset=2.0):
    """Features and targets, both far from mean 0."""
    return rng.normal(size=(n, d)) + offset, rng.normal(size=n) + 3 * offset


# Task 1


@number("1.1")
@weight(2)
@tags("objective")
@pytest.mark.parametrize("case", ["squared_tall", "squared_wide", "logistic"])
def test_loss_with_its_penalty(agree, rng, case):
    """Losses, summed, and half the squared weights times lam; the intercept costs nothing. Far from 0, nothing overflows."""
    if case == "logistic":
        X = np.concatenate([rng.normal(size=(6, 2)), np.array([[900.0, 0.0], [-900.0, 0.0], [20.0, 0.0]])])
        y = np.append((rng.random(6) < 0.5).astype(float), [0.0, 1.0, 1.0])
        agree("penalized_loss", np.array([1.0, -0.5]), 0.3, X, y, 0.7, kind="logistic")
        return
    X, y = data(rng, *((7, 3) if case == "squared_tall" else (3, 7)))
    agree("penalized_loss", rng.normal(size=X.shape[1]), 5.0, X, y, 1.5)


@number("1.2")
@weight(2)
@tags("objective")
@pytest.mark.parametrize("kind", ["squared", "logistic"])
@pytest.mark.parametrize("shape", [(7, 3), (3, 7)], ids=["tall", "wide"])
def test_slopes_of_the_objective(agree, rng, kind, shape):
    """Slopes in all weights and in the intercept."""
    X, y = data(rng, *shape, offset=0.0)
    y = (y > y.mean()).astype(float) if kind == "logistic" else y

    agree("penalized_gradient", rng.normal(size=shape[1]), 0.8, X, y, 1.5, kind=kind)


@number("1.3")
@weight(2)
@tags("objective")
@pytest.mark.parametrize(
    ("source", "target", "norm"),
    [("sklearn", "mean", 1), ("mean", "sklearn", 2), ("sum", "torch", 2), ("torch", "mean", 2), ("sklearn", "mean", 2)],
)
def test_penalties_of_other_objectives(agree, rng, source, target, norm):
    """The same weights stay the best."""
    n = int(rng.integers(11, 90))

    agree("convert_penalty", float(rng.uniform(0.5, 3)), n, source, target, norm=norm)


# Task 2


@number("2.1")
@weight(3)
@tags("batches")
@pytest.mark.parametrize("size", [1, 3, 8])
def test_variance_of_batches_of_different_examples(agree, rng, size):
    """Batches of one vary as examples do. A batch of all examples doesn't vary."""
    gradients = rng.normal(size=(9, 4)) + 2

    agree("batch_variance", gradients, size)


@number("2.2")
@weight(3)
@tags("batches")
@pytest.mark.parametrize("n_average", [1, 2, 3])
def test_steps_along_averages(agree, rng, n_average):
    """The gradient is taken at the present weights, and averaged with those before, as many as there are."""
    curvatures, start = rng.uniform(0.5, 2, size=3), rng.normal(size=3)

    agree("averaged_descent", lambda w: curvatures * w, start, lr=0.3, n_average=n_average, n_steps=6)


# Task 3


@number("3.1")
@weight(3)
@tags("ridge")
@pytest.mark.parametrize("shape", [(9, 3), (4, 10), (5, 1)], ids=["tall", "wide", "one_feature"])
@pytest.mark.parametrize("part", [0, 1], ids=["weights", "intercept"])
def test_ridge_far_from_the_origin(agree, rng, shape, part):
    """Many examples or few. Then the features and the targets are moved, which only moves the intercept, as it is free."""
    X, y = data(rng, *shape)
    move = rng.normal(size=shape[1])

    def one_part(impl, X, y):
        return impl.ridge(X, y, 1.3)[part]

    got, moved = agree(one_part, X, y), agree(one_part, X + move, y + 10)
    if part == 0:
        assert_close(moved, got, name="the weights for moved data")


@number("3.2")
@weight(3)
@tags("ridge")
@pytest.mark.parametrize("shape", [(6, 2), (4, 10)], ids=["singular", "invertible"])
def test_dual_ridge_from_inner_products(agree, rng, shape):
    """The weights that one number for each example gives, also if the examples depend on each other."""
    X, y = data(rng, *shape)

    # several a may give the same weights
    agree(lambda impl: X.T @ impl.dual_ridge(X @ X.T, y, 0.9))


@number("3.3")
@weight(3)
@tags("ridge")
@pytest.mark.parametrize("lam", [0.0, 0.6, 1e4, np.array([0.1, 0.4, 0.9, 1.6, 2.5])], ids=["none", "some", "huge", "one_for_each"])
def test_shares_that_ridge_keeps(agree, rng, lam):
    """From nearly all to nearly nothing, and nothing of a direction that the data don't have."""
    s = np.append(np.sort(rng.uniform(0.1, 3, size=4))[::-1], 0.0)

    agree("shrinkage", s, lam)


# Task 4


def walk(name, state, *, n_steps=3, p=4, **options):
    """A scenario: several steps with given gradients. Returns weights and states."""

    def go(impl, w, gradients):
        found, now = [], state(p)
        for gradient in gradients:
            w, now = getattr(impl, name)(w, gradient, now, **options)
            found.append((w, now))
        return found

    return go


def weights_and_gradients(rng, n_steps=3, p=4):
    return rng.normal(size=p) + 2, list(rng.normal(size=(n_steps, p)))


@number("4.1")
@weight(2)
@tags("weight_decay")
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_sgd_with_the_penalty_in_the_gradient(agree, rng, momentum):
    """The penalty's gradient goes wherever the loss's gradient goes."""
    agree(walk("sgd_step", np.zeros, lr=0.1, momentum=momentum, decay=0.3), *weights_and_gradients(rng))


@number("4.2")
@weight(2)
@tags("weight_decay")
@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_sgd_with_decoupled_decay(agree, rng, momentum):
    """The weights shrink by themselves, and the velocity knows nothing of it."""
    agree(walk("sgd_step", np.zeros, lr=0.1, momentum=momentum, decay=0.3, coupled=False), *weights_and_gradients(rng))


def adam_start(p):
    return np.zeros(p), np.zeros(p), 0


@number("4.3")
@weight(3)
@tags("weight_decay")
@pytest.mark.parametrize("case", ["plain", "with_penalty"])
def test_adam_with_the_penalty_in_the_gradient(agree, rng, case):
    """Three steps, with the averages; eps is large enough to be seen."""
    decay = 0.0 if case == "plain" else 0.4

    agree(walk("adam_step", adam_start, lr=0.1, decay=decay, beta1=0.8, beta2=0.9, eps=0.01), *weights_and_gradients(rng))


@number("4.4")
@weight(2)
@tags("weight_decay")
def test_adam_with_decoupled_decay(agree, rng):
    """The averages see the loss's gradient alone, and each weight shrinks by its own size."""
    agree(
        walk("adam_step", adam_start, lr=0.1, decay=0.4, coupled=False, beta1=0.8, beta2=0.9, eps=0.01),
        *weights_and_gradients(rng),
    )


# Task 5


def lent_threshold(z, t):
    z = np.asarray(z, dtype=float)
    return np.where(z > t, z - t, np.where(z < -t, z + t, 0.0))


lent_threshold.unrecorded = True  # how often it is called is free


@number("5.1")
@weight(2)
@tags("soft_threshold")
@pytest.mark.parametrize("t", [0.0, 0.5, 3.0])
def test_soft_threshold_of_many_values(agree, rng, t):
    """On both sides, inside, and exactly at the threshold; nothing is changed in place."""
    z = np.concatenate([2 * rng.normal(size=9), [t, -t, 0.0, 5.0]]).reshape(1, 13)

    agree("soft_threshold", z, t)
    agree("soft_threshold", z, t + 0.7)
    agree(lambda impl: assert_leaves_arguments(impl.soft_threshold, z.T, t, name="soft_threshold"))


@number("5.2")
@weight(3)
@tags("soft_threshold")
@pytest.mark.parametrize("step", [0.1, 1.0])
def test_proximal_step_on_the_lasso(agree, rng, step):
    """A gradient step from any weights, then the best trade between staying there and small weights."""
    X, y = data(rng, 3, 5, offset=0.2)

    agree("proximal_step", rng.normal(size=5), 0.3 * X, y, 0.7, step=step, soft_threshold=lent_threshold)


@number("5.3")
@weight(3)
@tags("soft_threshold")
@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_proximal_step_on_the_elastic_net(agree, rng, alpha):
    """With a squared part of the penalty, weights shrink also where they stay away from 0."""
    X, y = data(rng, 6, 3, offset=0.2)

    agree("proximal_step", rng.normal(size=3), 0.3 * X, y, 0.7, step=1.0, alpha=alpha, soft_threshold=lent_threshold)


# Task 6


@number("6.1")
@weight(2)
@tags("lasso")
@pytest.mark.parametrize("alpha", [1.0, 0.3])
@pytest.mark.parametrize("sign", [1, -1])
def test_penalty_that_leaves_nothing(agree, rng, alpha, sign):
    """For targets that rise or fall with the features, and for the elastic net."""
    X = rng.normal(size=(8, 5))

    agree("lambda_max", X, sign * X @ np.array([3.0, 0.1, 0, 0, 0]), alpha=alpha)


def sweep_case(rng, n=7, d=4):
    X = rng.normal(size=(n, d)) * np.array([1.0, 3.0, 0.5, 2.0])
    w = np.array([1.0, 0.0, -2.0, 0.5])
    return X, w, X @ np.array([2.0, -1.0, 0.0, 0.3]) + rng.normal(size=n) - X @ w


@number("6.2")
@weight(3)
@tags("lasso")
@pytest.mark.parametrize("lam", [0.5, 4.0])
@pytest.mark.parametrize("n", [7, 3], ids=["tall", "wide"])
def test_one_sweep_of_the_lasso(agree, rng, lam, n):
    """Every weight in turn, with columns of all lengths, from weights of either sign."""
    X, w, residual = sweep_case(rng, n)

    agree("coordinate_sweep", w, residual, X, lam, soft_threshold=lent_threshold)


@number("6.3")
@weight(1)
@tags("lasso")
@pytest.mark.parametrize("alpha", [0.3, 0.8])
def test_one_sweep_of_the_elastic_net(agree, rng, alpha):
    """The squared part of the penalty shrinks the weights further."""
    X, w, residual = sweep_case(rng)

    agree("coordinate_sweep", w, residual, X, 1.5, alpha=alpha, soft_threshold=lent_threshold)


@number("6.4")
@weight(1)
@tags("lasso")
def test_a_column_of_zeros(agree, rng):
    """It explains nothing and gets nothing, and the other weights don't mind."""
    X, w, residual = sweep_case(rng)
    X[:, 2] = 0.0

    agree("coordinate_sweep", w, residual, X, 0.5, soft_threshold=lent_threshold)


@number("6.5")
@weight(3)
@tags("lasso")
@pytest.mark.parametrize("case", ["away_from_0", "at_0", "elastic_net"])
def test_violation_of_each_weight(agree, rng, case):
    """Smooth where a weight is not 0, an interval of slopes where it is; the largest violation counts."""
    X, w, residual = sweep_case(rng)
    y = residual + X @ w
    alpha = 0.4 if case == "elastic_net" else 1.0
    w = {"away_from_0": np.array([1.0, 0.4, -2.0, -0.5]), "at_0": np.zeros(4), "elastic_net": np.array([1.0, 0.0, -20.0, 0.5])}[case]

    agree("optimality_violation", w, X, y, 1.5, alpha=alpha)
    agree("optimality_violation", w[:1], X[:, :1], y, 0.2, alpha=alpha)


def lent_sweep(w, residual, X, lam, *, alpha):
    w, residual = np.array(w), np.array(residual)
    for j in range(len(w)):
        before = w[j]
        size = (X[:, j] ** 2).sum()
        w[j] = lent_threshold(X[:, j] @ residual + size * before, lam * alpha) / (size + lam * (1 - alpha))
        residual -= X[:, j] * (w[j] - before)
    return w, residual


# where a method stops depends on the last sweep
SOLVED = (1e-6, 1e-8)


@number("6.6")
@weight(2)
@tags("lasso")
@pytest.mark.parametrize("alpha", [1.0, 0.5])
def test_path_of_best_weights(agree, rng, alpha):
    """Each row is best for its penalty, in the order of the penalties given."""
    X, w, residual = sweep_case(rng, 12)

    agree("lasso_path", X, residual + X @ w, np.array([0.5, 8.0, 2.0]), alpha=alpha, coordinate_sweep=lent_sweep, tol=SOLVED)


@number("6.7")
@weight(2)
@tags("lasso")
def test_path_starts_where_the_last_penalty_ended(agree, rng):
    """From large to small penalties, each from the weights before, and no sweep more than need be."""
    X, w, residual = sweep_case(rng, 12)
    y = residual + X @ w

    def starts(impl):
        seen = []

        def sweep(w, residual, X, lam, *, alpha):
            seen.append((lam, np.array(w)))
            return w + 1 / lam if len(seen) % 2 else w, residual

        return impl.lasso_path(X, y, np.array([1.0, 4.0, 2.0, 0.5]), coordinate_sweep=sweep), seen

    agree(starts)


# Task 7


@number("7.1")
@weight(4)
@tags("bias_variance")
@pytest.mark.parametrize("shape", [(6, 3), (2, 5)], ids=["six_sets", "two_sets"])
@pytest.mark.parametrize("part", [0, 1], ids=["bias", "variance"])
def test_bias_and_variance_of_given_predictions(agree, rng, shape, part):
    """How far the mean prediction is from the truth, and how far predictions are from their own mean."""
    predictions, truth = rng.normal(size=shape) + 1, rng.normal(size=shape[1])

    agree(lambda impl: impl.bias_variance(predictions, truth)[part])


def spectrum(rng, k=5):
    return np.sort(rng.uniform(0.2, 3, size=k))[::-1], rng.normal(size=k)


@number("7.2")
@weight(1)
@tags("bias_variance")
@pytest.mark.parametrize("lam", [0.1, 2.0])
def test_squared_bias_of_ridge(agree, rng, lam):
    """What the penalty takes away from the predictions."""
    s, w = spectrum(rng)

    agree(lambda impl: impl.ridge_bias_variance(s, w, lam, 0.7)[0])


@number("7.3")
@weight(2)
@tags("bias_variance")
@pytest.mark.parametrize("lam", [0.0, 2.0])
def test_variance_of_ridge(agree, rng, lam):
    """What is left of the noise in the predictions; without a penalty, as much as there are directions."""
    s, w = spectrum(rng)

    agree(lambda impl: impl.ridge_bias_variance(s, w, lam, 0.7)[1])


@number("7.4")
@weight(1)
@tags("bias_variance")
def test_both_formulas_agree_with_fits_to_all_noise(impl, rng):
    """Ridge is fitted to a set of noises with exactly the right covariance: the mean squared error is the sum of both parts."""
    s, w = spectrum(rng, 3)
    lam, noise = 0.8, symmetric_noise(3, std=1.5)
    error = ((s * (s * (s * w + noise)) / (s**2 + lam) - s * w) ** 2).sum(axis=1).mean()

    bias, variance = impl.ridge_bias_variance(s, w, lam, 2.25)
    assert_close(bias + variance, float(error), name="squared bias plus variance")


# Task 8


def lent_fit_predict(X_train, y_train, X_test):
    """Depends on everything that it is shown."""
    return X_test @ (X_train.T @ y_train) + y_train.mean()


def cross_validation_case(rng):
    X = rng.normal(size=(9, 3)) * np.array([1.0, 5.0, 0.2]) + 2
    return X, rng.normal(size=9), [np.array([4, 1]), np.array([8, 0, 3, 2]), np.array([5, 7, 6])]


@number("8.1")
@weight(2)
@tags("cross_validation")
def test_errors_of_examples_that_no_model_saw(agree, rng):
    """Trained on the other folds, with features standardized by what the model may know."""
    X, y, held_out = cross_validation_case(rng)

    agree("cross_validate", lent_fit_predict, X, y, held_out)


@number("8.2")
@weight(1)
@tags("cross_validation")
def test_a_feature_that_is_constant_in_training(agree, rng):
    """It is centered and not divided, so that nothing becomes infinite."""
    X, y, held_out = cross_validation_case(rng)
    X[:, 1] = 0.1
    X[5, 1] = 0.4

    agree("cross_validate", lent_fit_predict, X, y, held_out)


@number("8.3")
@weight(3)
@tags("cross_validation")
@pytest.mark.parametrize("shape", [(8, 3), (5, 9)], ids=["tall", "wide"])
def test_leaving_each_example_out(agree, rng, shape):
    """What n fits would give, with an intercept that is free, far from the origin."""
    X, y = data(rng, *shape)

    agree("leave_one_out", X, y, 0.8)


@number("8.4")
@weight(3)
@tags("cross_validation")
@pytest.mark.parametrize("case", ["some_allowed", "only_the_best", "all_allowed"])
def test_largest_penalty_within_one_standard_error(agree, rng, case):
    """Penalties in any order; allowed are those up to one standard error above the lowest mean."""
    lams = rng.permutation([0.1, 0.5, 1.5, 4.0, 9.0])
    spread = {"some_allowed": 1.0, "only_the_best": 0.01, "all_allowed": 100.0}[case]
    noise = rng.normal(size=(5, 16))
    noise -= noise.mean(axis=1, keepdims=True)
    noise /= noise.std(axis=1, ddof=1, keepdims=True)
    # means 2, 2.1, 2.2, ... away from the penalty 0.5, and a standard error of spread / 4
    errors = 2 + 0.1 * np.abs(np.searchsorted([0.1, 0.5, 1.5, 4.0, 9.0], lams) - 1)[:, None] + spread * noise

    agree("one_standard_error", errors, lams)


# Task 9


@number("9.1")
@weight(2)
@tags("generalize")
@pytest.mark.parametrize("n_steps", [0, 1, 6])
def test_shares_that_descent_has_found(agree, rng, n_steps):
    """None without a step, all of a direction in the end, and nothing of a direction that the data don't have."""
    s = np.append(rng.uniform(0.2, 2.0, size=4), 0.0)

    agree("descent_filter", s, 0.2, n_steps)
    agree("descent_filter", s[:2], 0.1, n_steps + 1)


@number("9.2")
@weight(2)
@tags("generalize")
@pytest.mark.parametrize("n_steps", [1, 6])
def test_penalty_of_each_direction(agree, rng, n_steps):
    """Another one for each singular value."""
    agree("equivalent_penalty", rng.uniform(0.2, 2.0, size=4), 0.2, n_steps)


@number("9.3")
@weight(2)
@tags("generalize")
@pytest.mark.parametrize(("gap", "n_functions"), [(0.05, 100), (0.02, 10**6), (0.3, 1)])
def test_examples_for_many_functions(agree, rng, gap, n_functions):
    """To either side, and for any of the functions."""
    delta = float(rng.uniform(0.01, 0.1))

    agree("examples_needed", gap, n_functions, delta)


