"""Public checks of backprop: values done by hand, and a few facts that hold for any right answer.

Run all of them with `pytest`; the handout gives a command for each task.
"""

import math

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close

# ---- 1 activations -----------------------------------------------------------------------------------------


@number("1.p1")
@weight(2)
@tags("activations")
def test_activations_by_hand(impl):
    """Log-odds of log 3 are a probability of 3/4; the steepest slopes are at 0; ReLU's slope at 0 is 0."""
    z = np.array([0.0, math.log(3), -math.log(3)])

    assert_close(impl.sigmoid(z), np.array([0.5, 0.75, 0.25]), name="sigmoid")
    assert_close(impl.sigmoid_derivative(z), np.array([0.25, 0.1875, 0.1875]), name="sigmoid_derivative")
    assert_close(impl.tanh(z), np.array([0.0, 0.8, -0.8]), name="tanh")
    assert_close(impl.tanh_derivative(z), np.array([1.0, 0.36, 0.36]), name="tanh_derivative")
    assert_close(impl.relu(z), np.array([0.0, math.log(3), 0.0]), name="relu")
    assert_close(impl.relu_derivative(z), np.array([0.0, 1.0, 0.0]), name="relu_derivative")


# ---- 2 forward ---------------------------------------------------------------------------------------------

# A network 2 - 2 - 1 with whole numbers, and a batch of two examples.
X = np.array([[1.0, 2.0], [3.0, -1.0]])
PARAMS = {
    "W1": np.array([[1.0, 1.0], [2.0, -1.0]]),
    "B1": np.array([[0.0], [-1.0]]),
    "W2": np.array([[3.0, -2.0]]),
    "B2": np.array([[5.0]]),
}


def ramp(z):
    """An activation for these checks: z where it is positive, z / 10 elsewhere."""
    return np.where(z > 0, z, z / 10)


def ramp_slope(z):
    return np.where(z > 0, 1.0, 0.1)


# What the forward pass keeps, done by hand. For the first example:
# Z_1 = (1 + 2, 2 - 2 - 1) = (3, -1), A_1 = (3, -0.1), Z_2 = 9 + 0.2 + 5 = 14.2
CACHE = {
    "A0": np.array([[1.0, 3.0], [2.0, -1.0]]),
    "Z1": np.array([[3.0, 2.0], [-1.0, 6.0]]),
    "A1": np.array([[3.0, 2.0], [-0.1, 6.0]]),
    "Z2": np.array([[14.2, -1.0]]),
}


@number("2.p1")
@weight(2)
@tags("forward")
def test_forward_by_hand(impl):
    """A network of whole numbers, done by hand: every Z, every A, and the logits; a bias per example is
    refused."""
    logits, cache = impl.mlp_forward(X, PARAMS, activation=ramp)

    assert_close(cache, CACHE, name="cache")
    assert_close(logits, CACHE["Z2"], name="logits")
    with pytest.raises(ValueError):
        impl.mlp_forward(X, PARAMS | {"B1": np.zeros((2, 2))}, activation=ramp)


# ---- 3 losses ----------------------------------------------------------------------------------------------


@number("3.p1")
@weight(2)
@tags("losses")
def test_binary_cross_entropy_by_hand(impl):
    """Predicting 3/4 costs log(4/3) where the label is 1 and log 4 where it is 0; the gradient is (p - y) /
    b."""
    logits = np.array([[math.log(3), math.log(3)]])

    loss, d_logits = impl.binary_cross_entropy(logits, np.array([[1.0], [0.0]]))

    assert_close(loss, (math.log(4 / 3) + math.log(4)) / 2, name="loss")
    assert_close(d_logits, np.array([[-0.125, 0.375]]), name="d_logits")


@number("3.p2")
@weight(1)
@tags("losses")
def test_softmax_cross_entropy_by_hand(impl, rng):
    """Equal logits for K classes cost log K, and a number added to all logits of an example changes
    nothing."""
    y = np.array([2, 0, 4])
    logits = rng.normal(size=(5, 3))

    loss, d_logits = impl.softmax_cross_entropy(np.zeros((5, 3)), y)
    here = impl.softmax_cross_entropy(logits, y)
    there = impl.softmax_cross_entropy(logits + np.array([1.0, -2.0, 3.0]), y)

    assert_close(loss, math.log(5), name="loss")
    assert_close(d_logits, (np.full((5, 3), 0.2) - np.eye(5)[:, y]) / 3, name="d_logits")
    assert_close(there, here, name="answer for shifted logits")


# ---- 4 gradcheck -------------------------------------------------------------------------------------------


def cost(v):
    """v_0^3 + 2 v_0 v_1, for which a central difference in v_0 is 3 v_0^2 + 2 v_1 + h^2 exactly."""
    return float(v[0] ** 3 + 2 * v[0] * v[1])


@number("4.p1")
@weight(1)
@tags("gradcheck")
def test_central_difference_by_hand(impl):
    """At (2, 1) with h = 1/2 the central difference of v_0^3 + 2 v_0 v_1 is (14.25, 4), from four values of
    it."""
    calls = []

    def counted(v):
        calls.append(1)
        return cost(v)

    gradient = impl.numerical_gradient(counted, np.array([2.0, 1.0]), h=0.5)

    assert_close(gradient, np.array([14.25, 4.0]), name="numerical_gradient")
    assert len(calls) == 4, f"f was called {len(calls)} times for 2 coordinates"


@number("4.p2")
@weight(1)
@tags("gradcheck")
def test_checker_accepts_and_rejects(impl):
    """The right gradient of v_0^3 + 2 v_0 v_1 at (2, 1) is accepted, and a wrong one is rejected where it is
    wrong."""
    v = np.array([2.0, 1.0])

    right = impl.wrong_coordinates(cost, v, np.array([14.0, 4.0]))
    wrong = impl.wrong_coordinates(cost, v, np.array([14.0, 4.01]))

    assert_close(right, [], name="verdict on the right gradient")
    assert_close(wrong, [(1,)], name="verdict on (14, 4.01)")


# ---- 5 backward --------------------------------------------------------------------------------------------


@number("5.p1")
@weight(2)
@tags("backward")
def test_backward_by_hand(impl):
    """The gradients of the network of whole numbers, done by hand for the gradient (1, -2) in its two
    logits."""
    # delta_2 = (1, -2); delta_1 = W_2^T delta_2 * slope(Z_1) = [[3, -6], [-2, 4]] * [[1, 1], [0.1, 1]]
    want = {
        "W2": np.array([[3.0 - 4.0, -0.1 - 12.0]]),
        "B2": np.array([[-1.0]]),
        "W1": np.array([[3.0 - 18.0, 6.0 + 6.0], [-0.2 + 12.0, -0.4 - 4.0]]),
        "B1": np.array([[-3.0], [3.8]]),
    }

    grads = impl.mlp_backward(PARAMS, CACHE, np.array([[1.0, -2.0]]), derivative=ramp_slope)

    for name, gradient in want.items():
        assert_close(grads[name], gradient, name=f"gradient of {name}")


@number("5.p2")
@weight(1)
@tags("backward")
def test_gradient_step_by_hand(impl):
    """With one layer, zero weights and the squared error, a step of lr = 1/2 moves B by the mean of the
    labels."""
    x, y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), np.array([[1.0], [2.0], [6.0]])
    params = {"W1": np.zeros((1, 2)), "B1": np.zeros((1, 1))}

    def squared(logits, y):
        return float(np.mean((logits - y.T) ** 2)), 2 * (logits - y.T) / len(y)

    functions = {"loss": squared, "activation": ramp, "derivative": ramp_slope}
    after, loss = impl.gradient_step(params, x, y, lr=0.5, **functions)

    assert_close(loss, 41 / 3, name="loss before the step")
    assert_close(after["B1"], np.array([[3.0]]), name="B1")
    assert_close(after["W1"], np.array([[7 / 3, 8 / 3]]), name="W1")


# ---- 6 optimizers ------------------------------------------------------------------------------------------

START = {"W1": np.array([[2.0, -4.0]]), "B1": np.array([[1.0]])}
SLOPE = {"W1": np.array([[10.0, -0.5]]), "B1": np.array([[2.0]])}


@number("6.p1")
@weight(1)
@tags("optimizers")
def test_sgd_with_decay_by_hand(impl):
    """A step of 0.1 moves by a tenth of the gradient; decay 0.5 takes a further twentieth of W and nothing of
    B."""
    params, _ = impl.sgd_step(START, SLOPE, None, lr=0.1)
    decayed, _ = impl.sgd_step(START, SLOPE, None, lr=0.1, weight_decay=0.5)

    assert_close(params, {"W1": np.array([[1.0, -3.95]]), "B1": np.array([[0.8]])}, name="params")
    assert_close(decayed, {"W1": np.array([[0.9, -3.75]]), "B1": np.array([[0.8]])}, name="decayed params")


@number("6.p2")
@weight(1)
@tags("optimizers")
def test_momentum_by_hand(impl):
    """With beta = 1/2 and a constant gradient g the velocity is g, then 1.5 g, then 1.75 g."""
    params, velocity, lengths = START, None, []

    for _ in range(3):
        params, velocity = impl.momentum_step(params, SLOPE, velocity, lr=0.1, beta=0.5)
        lengths.append(float(velocity["B1"][0, 0]))

    assert_close(lengths, [2.0, 3.0, 3.5], name="velocity of B1")
    assert_close(params["B1"], np.array([[1 - 0.1 * 8.5]]), name="B1")


@number("6.p3")
@weight(1)
@tags("optimizers")
def test_adam_steps_have_length_lr(impl):
    """While the gradient stays the same, every Adam step is lr long in every coordinate, large gradient or
    small."""
    params, state = START, None

    for k in range(1, 4):
        params, state = impl.adam_step(params, SLOPE, state, lr=0.1)
        # eps = 1e-8 shortens a step by 2e-8 of its length at most
        want = np.array([[2.0 - 0.1 * k, -4.0 + 0.1 * k]])
        assert_close(params["W1"], want, atol=1e-7, name=f"W1 after step {k}")
    assert_close(params["B1"], np.array([[0.7]]), atol=1e-7, name="B1 after step 3")


# ---- 7 training --------------------------------------------------------------------------------------------


def count_down(impl, vals, *, patience):
    """Train with one parameter that counts the steps, and these validation losses: (counter kept, epochs
    run)."""
    x, y, seen = np.zeros((1, 1)), np.zeros((1, 1)), iter(vals)
    best, history = impl.fit(
        {"W1": np.zeros((1, 1))}, x, y,
        loss_and_grads=lambda params, x, y: (0.0, {"W1": np.ones((1, 1))}),
        step=lambda params, grads, state: ({"W1": params["W1"] + grads["W1"]}, None),
        validate=lambda params: next(seen), shuffle=lambda n: np.arange(n),
        batch_size=1, max_epochs=len(vals), patience=patience,
    )  # fmt: skip
    return float(best["W1"][0, 0]), len(history["val"])


@number("7.p1")
@weight(2)
@tags("training")
def test_stops_and_keeps_the_best(impl):
    """Losses 5, 3, 4, 4, 1 with patience 2 end after the fourth epoch, with the parameters of the second."""
    kept, epochs = count_down(impl, [5.0, 3.0, 4.0, 4.0, 1.0], patience=2)

    assert_close(epochs, 4, name="epochs run")
    assert_close(kept, 2.0, name="epoch whose parameters were kept")


@number("7.p2")
@weight(1)
@tags("training")
def test_batches_of_an_epoch(impl):
    """Seven examples in batches of 3 are batches of 3, 3 and 1, in the order that shuffle gave."""
    x, order, batches = np.arange(7.0)[:, None], np.array([6, 2, 0, 5, 1, 4, 3]), []

    def loss_and_grads(params, x, y):
        assert_close(y, x + 100, name="labels beside the examples of a batch")
        batches.append([float(value) for value in x[:, 0]])
        return 0.0, params

    impl.fit(
        {"W1": np.zeros((1, 1))}, x, x + 100,
        loss_and_grads=loss_and_grads, step=lambda params, grads, state: (params, None),
        validate=lambda params: 0.0, shuffle=lambda n: order,
        batch_size=3, max_epochs=1, patience=1,
    )  # fmt: skip

    assert_close(batches, [[6.0, 2.0, 0.0], [5.0, 1.0, 4.0], [3.0]], name="batches")


# ---- 8 value -----------------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("value")
def test_value_by_hand(impl):
    """At x = 3, y = 2: z = x y + x has slopes y + 1 = 3 in x and x = 3 in y, and 2 z - 1 has twice those."""
    x, y = impl.Value(3.0), impl.Value(2.0)

    out = 2 * (x * y + x) - 1
    out.backward()

    assert_close(out.data, 17.0, name="value")
    assert_close([x.grad, y.grad, out.grad], [6.0, 6.0, 1.0], name="gradients of x, y and the result")


@number("8.p2")
@weight(1)
@tags("value")
def test_value_used_twice(impl):
    """tanh(x)^2 + tanh(x) x at x = log 2, where tanh is 0.6 and its slope 0.64: the shared node gets both
    parts."""
    x = impl.Value(math.log(2))

    t = x.tanh()
    out = t * t + t * x
    out.backward()

    assert_close(t.grad, 1.2 + math.log(2), name="gradient of tanh(x)")
    assert_close(x.grad, 0.64 * (1.2 + math.log(2)) + 0.6, name="gradient of x")
