"""What backprop's handout, docstrings and captions state, computed from its reference."""

import math

import numpy as np
import pytest
import staff_files

backprop = staff_files.reference("backprop")
figures = staff_files.figures("backprop")

LOG3 = math.log(3)


def ramp(z):
    return np.where(z > 0, z, z / 10)


def network():
    """Task 2's network, and its batch."""
    params = {
        "W1": np.array([[1.0, 1], [2, -1]]), "B1": np.array([[0.0], [-1]]),
        "W2": np.array([[3.0, -2]]), "B2": np.array([[5.0]]),
    }  # fmt: skip
    return params, np.array([[1.0, 2], [3, -1]])


def gradients(x, y, params, activation, slope):
    logits, cache = backprop.mlp_forward(x, params, activation=activation)
    _, d_logits = backprop.binary_cross_entropy(logits, y)
    return backprop.mlp_backward(params, cache, d_logits, derivative=slope)


def test_slopes_of_the_sigmoid():
    """ "at z = log 3, where p = ¾, it is 3/16, and it is ¼ at most"."""
    assert backprop.sigmoid(np.array(LOG3)) == pytest.approx(3 / 4)
    assert backprop.sigmoid_derivative(np.array(LOG3)) == pytest.approx(3 / 16)
    assert backprop.sigmoid_derivative(np.linspace(-5, 5, 101)).max() == 1 / 4


def test_which_form_overflows():
    """ "Which form overflows at which end?" The first gives NaN at 1000; the second's exponential is infinite at −1000."""
    with np.errstate(over="ignore", invalid="ignore"):
        assert np.isnan(np.exp(1000.0) / (1 + np.exp(1000.0)))
        assert np.isinf(np.exp(np.float64(1000.0)))


def test_forward_by_hand():
    """Task 2's table: Z_1 = (3, −1), A_1 = (3, −0.1), Z_2 = 14.2."""
    params, x = network()

    logits, cache = backprop.mlp_forward(x, params, activation=ramp)

    np.testing.assert_allclose(cache["Z1"][:, 0], [3, -1])
    np.testing.assert_allclose(cache["A1"][:, 0], [3, -0.1])
    assert logits[0, 0] == pytest.approx(14.2)


def test_losses_by_hand():
    """ "label 1 costs log 4/3, label 0 costs log 4, and for this batch of two d_logits = (−⅛, ⅜)"; log 4; 800."""
    z = np.array([[LOG3]])

    assert backprop.binary_cross_entropy(z, np.array([[1.0]]))[0] == pytest.approx(math.log(4 / 3))
    assert backprop.binary_cross_entropy(z, np.array([[0.0]]))[0] == pytest.approx(math.log(4))
    _, d_logits = backprop.binary_cross_entropy(np.array([[LOG3, LOG3]]), np.array([[1.0], [0.0]]))
    np.testing.assert_allclose(d_logits, [[-1 / 8, 3 / 8]])
    assert backprop.softmax_cross_entropy(np.zeros((4, 1)), np.array([2]))[0] == pytest.approx(math.log(4))
    assert backprop.binary_cross_entropy(np.array([[-800.0]]), np.array([[1.0]]))[0] == 800


def test_cross_entropy_pushes_harder():
    """ "cross-entropy pushes 11,000 times harder than the squared error" at logit −10 and label 1."""
    z, y = np.array([[-10.0]]), np.array([[1.0]])

    push = backprop.binary_cross_entropy(z, y)[1].item()
    squared = (2 * (backprop.sigmoid(z) - 1) * backprop.sigmoid_derivative(z)).item()

    assert push == pytest.approx(-0.99995, abs=1e-5)
    assert squared == pytest.approx(-0.00009, abs=1e-6)
    assert round(push / squared, -3) == 11_000


def test_best_step():
    """ "The best of four steps is 1e-5: at 1e-12, the checker is ten million times less exact."""
    x = np.array([1.0, 2.0, 3.0])

    def error(h):
        return abs(backprop.numerical_gradient(lambda v: float(np.sin(v).sum()), x, h=h) - np.cos(x)).max()

    assert sorted((1e-2, 1e-5, 1e-8, 1e-12), key=error) == [1e-5, 1e-8, 1e-2, 1e-12]
    assert error(1e-12) / error(1e-5) > 1e6  # rounding: another libm may move it a little


def test_checker_by_hand():
    """ "For v₀³ + 2v₀v₁ at (2, 1) with h = ½ it gives (14.25, 4), where the gradient is (14, 4)"; the docstring's [(1,)]."""

    def cost(v):
        return float(v[0] ** 3 + 2 * v[0] * v[1])

    x = np.array([2.0, 1.0])
    np.testing.assert_allclose(backprop.numerical_gradient(cost, x, h=0.5), [14.25, 4])
    assert backprop.wrong_coordinates(cost, x, np.array([14.0, 4.0])) == []
    slopes = backprop.wrong_coordinates(lambda v: float(v[0] ** 2 + v[1]), np.array([3.0, 1.0]), np.array([6.0, 2.0]))
    assert slopes == [(1,)]


def test_backward_by_hand():
    """ "∂C/∂W_2 = (−1, −12.1) and ∂C/∂B_1 = (−3, 3.8)"."""
    params, x = network()
    _, cache = backprop.mlp_forward(x, params, activation=ramp)

    grads = backprop.mlp_backward(params, cache, np.array([[1.0, -2]]), derivative=lambda z: np.where(z > 0, 1.0, 0.1))

    np.testing.assert_allclose(grads["W2"], [[-1, -12.1]])
    np.testing.assert_allclose(grads["B1"], [[-3], [3.8]])


@pytest.mark.parametrize("name, ratio", [("sigmoid", 7e-7), ("tanh", 0.9), ("relu", 1.7)])
def test_slopes_multiply(name, ratio):
    """ "Ten sigmoids leave 7e-7 of a gradient, tanh 0.9, ReLU 1.7"; the opening's "a million times more slowly"."""
    x, y = np.random.default_rng(2).standard_normal((64, 16)), np.random.default_rng(3).integers(0, 2, (64, 1))
    params = backprop.init_params([16] * 11 + [1], np.random.default_rng(0))

    g = gradients(x, y, params, getattr(backprop, name), getattr(backprop, f"{name}_derivative"))

    assert np.linalg.norm(g["W1"]) / np.linalg.norm(g["W10"]) == pytest.approx(ratio, rel=0.06)


def test_at_zero_only_the_last_bias_has_a_gradient():
    """ "All weights and biases are 0 …: which of the six gradients is not 0?" B3; the written question `blind_spot` builds on it."""
    x = np.random.default_rng(2).standard_normal((64, 16))[:, :2]
    zero = {name: 0 * p for name, p in backprop.init_params([2, 3, 3, 1], np.random.default_rng(0)).items()}

    g = gradients(x, np.zeros((64, 1)), zero, backprop.tanh, backprop.tanh_derivative)

    assert [name for name in g if np.any(g[name])] == ["B3"]


def far(step, lr, **rates):
    """How far from the minimum of 2x² + 100y² 400 steps from (1, 1) end."""
    params, state = {"W1": np.ones((1, 2))}, None
    for _ in range(400):
        params, state = step(params, {"W1": np.array([[4.0, 200.0]]) * params["W1"]}, state, lr=lr, **rates)
    return float(np.abs(params["W1"]).max())


def test_largest_learning_rates():
    """ "descent diverges above lr 0.01. With momentum 0.9 …: 0.019"."""
    assert far(backprop.sgd_step, 0.0099) < 1 < far(backprop.sgd_step, 0.0101)
    assert far(backprop.momentum_step, 0.0189) < 1e-6 < 1e6 < far(backprop.momentum_step, 0.0191)


@pytest.mark.parametrize("g, length", [(1e-6, 0.099), (1.0, 0.1), (1e6, 0.1)])
def test_adams_first_step(g, length):
    """ "How long is Adam's first step at lr 0.1, for a gradient of 0.000001, 1, and 1,000,000?" 0.099, 0.1 and 0.1."""
    after, _ = backprop.adam_step({"B1": np.zeros(1)}, {"B1": np.array([g])}, lr=0.1)

    assert -after["B1"].item() == pytest.approx(length, abs=1e-4)


def test_who_overshoots():
    """ "Figure `optimizers`: which of the three overshoot along x?" Momentum and Adam; descent does not."""
    ways = [
        (backprop.sgd_step, {"lr": 0.0095}), (backprop.momentum_step, {"lr": 0.004, "beta": 0.9}), (backprop.adam_step, {"lr": 0.3}),
    ]  # fmt: skip
    over = []
    for step, rates in ways:
        params, state, furthest = {"W1": np.array([[-4.0, 0.6]])}, None, -4.0
        for _ in range(60):
            params, state = step(params, {"W1": 2 * np.array([[2.0, 100.0]]) * params["W1"]}, state, **rates)
            furthest = max(furthest, params["W1"][0, 0])
        over.append(bool(furthest > 0))

    assert over == [False, True, True]


def test_patience_by_hand():
    """ "With validation losses 5, 3, 4, 4, 1 and patience 2 you never see the 1, and return epoch 2's parameters."""
    seen = iter([5.0, 3.0, 4.0, 4.0, 1.0])

    best, history = backprop.fit(
        {"W1": np.zeros((1, 1))}, np.zeros((1, 1)), np.zeros((1, 1)),
        loss_and_grads=lambda params, x, y: (0.0, {"W1": np.ones((1, 1))}),
        step=lambda params, grads, state: ({"W1": params["W1"] + 1}, None),
        validate=lambda params: next(seen), shuffle=np.arange, batch_size=1, max_epochs=5, patience=2,
    )  # fmt: skip

    assert history["val"] == [5, 3, 4, 4]
    assert best["W1"].item() == 2


def test_labels_are_learned_by_heart():
    """ "can't get below 0.377 on average"; "Below: 0.142 … its validation loss has nearly doubled since epoch 23"."""
    rng = np.random.default_rng(3)
    (x, y), (x_val, y_val) = figures.disc(rng, 100), figures.disc(rng, 400)
    loss_and_grads = figures.loss_and_grads(backprop)

    _, history = backprop.fit(
        backprop.init_params([2, 24, 24, 1], np.random.default_rng(5)), x, y, loss_and_grads=loss_and_grads,
        step=lambda params, grads, state: backprop.adam_step(params, grads, state, lr=0.01),
        validate=lambda params: loss_and_grads(params, x_val, y_val)[0],
        shuffle=np.random.default_rng(7).permutation, batch_size=16, max_epochs=160, patience=160,
    )  # fmt: skip

    best = int(np.argmin(history["val"]))
    assert -(math.log(1 / 8) / 8 + 7 * math.log(7 / 8) / 8) == pytest.approx(0.377, abs=5e-4)
    assert history["train"][-1] == pytest.approx(0.142, abs=5e-3)
    assert best + 1 == 23
    assert 1.8 < history["val"][-1] / history["val"][best] < 2


def test_a_quadrillion_paths():
    """ "50 times t = t + t": 2⁵⁰ paths, "by visiting 51 nodes"."""
    x = t = backprop.Value(1.0)
    nodes = [x]
    for _ in range(50):
        t = t + t
        nodes.append(t)

    t.backward()

    assert x.grad == 2**50 > 1e15
    assert len(nodes) == 51


def test_values_docstring():
    """x · x + 2x at 3 is 15, with slope 8; `Value(6.0, (x,), (2.0,))` is 2x."""
    x = backprop.Value(3.0)
    y = x * x + 2 * x
    y.backward()
    assert (y.data, x.grad) == (15.0, 8.0)

    double = backprop.Value(6.0, (x,), (2.0,))
    double.backward()
    assert x.grad == 2.0
