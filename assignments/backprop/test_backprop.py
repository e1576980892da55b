"""Public checks of backprop: values done by hand, and gradients by finite differences.

Run all of them with `pytest`; the handout gives a command for each task.
"""

import math

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.gradcheck import numeric_vjp

# ---- 1 activations -----------------------------------------------------------------------------------------

LOG3 = math.log(3)


@number("1.p1")
@weight(0.5)
@tags("activations")
def test_sigmoid_by_hand(impl):
    """Log-odds of log 3 are a probability of 3/4; those of 1,000 one of 1, and of -1,000 one of 0."""
    p = impl.sigmoid(np.array([0.0, LOG3, -LOG3, 1000.0, -1000.0]))

    assert_close(p, np.array([0.5, 0.75, 0.25, 1.0, 0.0]), name="sigmoid")


@number("1.p2")
@weight(0.5)
@tags("activations")
def test_slope_of_the_sigmoid_by_hand(impl):
    """The sigmoid is steepest at 0, where its slope is 1/4; at z = log 3 and -log 3 it is 3/16."""
    slope = impl.sigmoid_derivative(np.array([0.0, LOG3, -LOG3]))

    assert_close(slope, np.array([0.25, 0.1875, 0.1875]), name="sigmoid_derivative")


@number("1.p3")
@weight(0.5)
@tags("activations")
def test_slope_of_tanh_by_hand(impl):
    """tanh is steepest at 0, with slope 1; at z = log 3 and -log 3 it is 0.36."""
    slope = impl.tanh_derivative(np.array([0.0, LOG3, -LOG3]))

    assert_close(slope, np.array([1.0, 0.36, 0.36]), name="tanh_derivative")


@number("1.p4")
@weight(0.5)
@tags("activations")
def test_slope_of_relu_by_hand(impl):
    """ReLU's slope is 1 above 0 and 0 below, and 0 at 0, in z's dtype."""
    z = np.array([0.0, 2.0, -2.0], dtype=np.float32)

    assert_close(impl.relu_derivative(z), np.array([0.0, 1.0, 0.0], dtype=np.float32), name="relu_derivative")


# ---- 2 forward ---------------------------------------------------------------------------------------------


def batch():
    """Two examples for a network 2 - 2 - 1."""
    return np.array([[1.0, 2.0], [3.0, -1.0]])


def whole_numbers():
    """A network 2 - 2 - 1 of whole numbers."""
    return {
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


def kept():
    """What the forward pass keeps, done by hand. For the first example: Z_1 = (1 + 2, 2 - 2 - 1) = (3, -1), A_1 = (3, -0.1),
    Z_2 = 9 + 0.2 + 5 = 14.2."""
    return {
        "A0": np.array([[1.0, 3.0], [2.0, -1.0]]),
        "Z1": np.array([[3.0, 2.0], [-1.0, 6.0]]),
        "A1": np.array([[3.0, 2.0], [-0.1, 6.0]]),
        "Z2": np.array([[14.2, -1.0]]),
    }


@number("2.p1")
@weight(0.5)
@tags("forward")
def test_cache_by_hand(impl):
    """A network of whole numbers, done by hand: every Z and every A."""
    _, cache = impl.mlp_forward(batch(), whole_numbers(), activation=ramp)

    assert_close(cache, kept(), name="cache")


@number("2.p2")
@weight(0.5)
@tags("forward")
def test_logits_by_hand(impl):
    """The same network: its logits, 14.2 for the first example and -1 for the second."""
    logits, _ = impl.mlp_forward(batch(), whole_numbers(), activation=ramp)

    assert_close(logits, np.array([[14.2, -1.0]]), name="logits")


# ---- 3 losses ----------------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("losses")
def test_binary_cross_entropy_by_hand(impl):
    """Predicting 3/4 costs log(4/3) if the label is 1 and log 4 if it is 0; a logit of -800 with label 1 costs
    800."""
    logits = np.array([[LOG3, LOG3]])

    loss, d_logits = impl.binary_cross_entropy(logits, np.array([[1.0], [0.0]]))
    far, d_far = impl.binary_cross_entropy(np.array([[-800.0]]), np.array([[1.0]]))

    assert_close(loss, (math.log(4 / 3) + math.log(4)) / 2, name="loss")
    assert_close(d_logits, np.array([[-0.125, 0.375]]), name="d_logits")
    assert_close((far, d_far), (800.0, np.array([[-1.0]])), name="loss and d_logits at -800")


@number("3.p2")
@weight(1)
@tags("losses")
def test_softmax_cross_entropy_by_hand(impl):
    """Equal logits for four classes cost log 4; 4,000 in favor of a wrong class costs 4,000."""
    loss, d_logits = impl.softmax_cross_entropy(np.zeros((4, 2)), np.array([2, 0]))
    far, d_far = impl.softmax_cross_entropy(np.array([[4000.0], [0.0]]), np.array([1]))

    assert_close(loss, math.log(4), name="loss")
    want = np.array([[0.125, -0.375], [0.125, 0.125], [-0.375, 0.125], [0.125, 0.125]])
    assert_close(d_logits, want, name="d_logits")
    assert_close((far, d_far), (4000.0, np.array([[1.0], [-1.0]])), name="loss and d_logits, 4,000 apart")


@number("3.p3")
@weight(0.5)
@tags("losses")
def test_gradient_of_the_binary_loss_by_differences(impl, rng):
    """A logit of 0 costs log 2, whatever the label; the gradient is what central differences of the loss give."""
    logits, y = rng.normal(size=(1, 4)), rng.uniform(size=(4, 1))

    _, d_logits = impl.binary_cross_entropy(logits, y)

    assert_close(impl.binary_cross_entropy(np.zeros((1, 1)), y[:1])[0], math.log(2), name="loss of logits of 0")
    (want,) = numeric_vjp(lambda z: impl.binary_cross_entropy(z, y)[0], logits)
    assert_close(d_logits, want, rtol=1e-6, atol=1e-8, name="d_logits")


@number("3.p4")
@weight(0.5)
@tags("losses")
def test_gradient_of_the_softmax_loss_by_differences(impl, rng):
    """Equal logits for three classes cost log 3; the gradient is what central differences of the loss give."""
    logits, y = rng.normal(size=(3, 4)), np.array([2, 0, 1, 2])

    _, d_logits = impl.softmax_cross_entropy(logits, y)

    assert_close(impl.softmax_cross_entropy(np.full((3, 1), 7.0), y[:1])[0], math.log(3), name="loss of equal logits")
    (want,) = numeric_vjp(lambda z: impl.softmax_cross_entropy(z, y)[0], logits)
    assert_close(d_logits, want, rtol=1e-6, atol=1e-8, name="d_logits")


# ---- 4 gradcheck -------------------------------------------------------------------------------------------


def cost(v):
    """v_0^3 + 2 v_0 v_1, with slopes 14 and 4 at (2, 1)."""
    return float(v[0] ** 3 + 2 * v[0] * v[1])


@number("4.p1")
@weight(1)
@tags("gradcheck")
def test_central_difference_by_hand(impl):
    """At (2, 1) with h = 1/2, v_0^3 + 2 v_0 v_1 is 20.625 ahead and 6.375 behind in v_0: 14.25. Four calls, and
    a point stays as it was, to the last bit."""
    calls, x = [], np.array([2.0, 1.0])

    def counted(v):
        calls.append(1)
        return cost(v)

    gradient = impl.numerical_gradient(counted, x, h=0.5)

    assert_close(gradient, np.array([14.25, 4.0]), name="numerical_gradient")
    assert len(calls) == 4, f"f was called {len(calls)} times for 2 coordinates"
    point = np.array([0.3])
    impl.numerical_gradient(lambda v: 0.0, point, h=0.1)
    assert x.tolist() == [2.0, 1.0] and point.tolist() == [0.3], "x is not what it was before the call"


@number("4.p2")
@weight(1)
@tags("gradcheck")
def test_central_difference_of_other_arrays(impl):
    """The slopes of 3 x_0 - 5 x_1 + x_2 at whole numbers, in a column; and of a single number."""
    x, slopes = np.array([[2], [-1], [3]]), np.array([[3.0], [-5.0], [1.0]])

    gradient = impl.numerical_gradient(lambda v: float(np.sum(slopes * v)), x)
    single = impl.numerical_gradient(lambda v: 7 * float(v), np.array(2.0))

    # the default h = 1e-5 divides the rounding of f, about 1e-15
    assert_close(gradient, slopes, rtol=1e-8, atol=1e-8, name="gradient at whole numbers")
    assert_close(single, np.array(7.0), rtol=1e-8, atol=1e-8, name="gradient in a single number")


@number("4.p3")
@weight(1)
@tags("gradcheck")
def test_checker_accepts_and_rejects(impl):
    """The right gradient of v_0^3 + 2 v_0 v_1 at (2, 1), (14, 4), is accepted, and wrong numbers and a NaN are rejected
    where they stand."""
    v = np.array([2.0, 1.0])

    def numerical(f, x, *, h):
        return np.array([14.0, 4.0])

    def verdict(claim):
        return impl.wrong_coordinates(cost, v, np.array(claim), numerical=numerical)

    assert_close(verdict([14.0, 4.0]), [], name="verdict on the right gradient")
    assert_close(verdict([14.0, 4.01]), [(1,)], name="verdict on (14, 4.01)")
    assert_close(verdict([math.nan, 5.0]), [(0,), (1,)], name="verdict on (NaN, 5)")


# ---- 5 backward --------------------------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("backward")
def test_backward_by_hand(impl):
    """The gradients of the network of whole numbers, done by hand for the gradient (1, -2) in its two
    logits."""
    want = {
        "W2": np.array([[-1.0, -12.1]]),
        "B2": np.array([[-1.0]]),
        "W1": np.array([[-15.0, 12.0], [11.8, -4.4]]),
        "B1": np.array([[-3.0], [3.8]]),
    }

    grads = impl.mlp_backward(whole_numbers(), kept(), np.array([[1.0, -2.0]]), derivative=ramp_slope)

    for name, gradient in want.items():
        assert_close(grads[name], gradient, name=f"gradient of {name}")

    # the same, with an activation whose slope at z is z
    grads = impl.mlp_backward(whole_numbers(), kept(), np.array([[1.0, -2.0]]), derivative=lambda z: z)

    assert_close(grads["B1"], np.array([[-3.0], [26.0]]), name="gradient of B1 with another slope")
    assert_close(grads["W1"], np.array([[-27.0, 30.0], [74.0, -20.0]]), name="gradient of W1 with another slope")


@number("5.p2")
@weight(1)
@tags("backward")
def test_gradient_step_by_hand(impl):
    """A step of lr = 1/2 from B = (1, 2) with gradient (4, -6) ends at (-1, 5), and reports the loss before it; the
    parameters that came in stay."""
    old, asked = {"B1": np.array([[1.0], [2.0]])}, []

    def forward(x, params, *, activation):
        asked.append(params["B1"].copy())
        return np.array([[7.0]]), {"A0": x.T}

    def backward(params, cache, d_logits, *, derivative):
        return {"B1": d_logits * np.array([[4.0], [-6.0]])}

    after, loss = impl.gradient_step(
        old, np.zeros((1, 2)), np.zeros((1, 1)), lr=0.5, loss=lambda logits, y: (41.0, np.array([[1.0]])),
        activation=ramp, derivative=ramp_slope, forward=forward, backward=backward,
    )  # fmt: skip

    assert_close(loss, 41.0, name="loss before the step")
    assert_close(after, {"B1": np.array([[-1.0], [5.0]])}, name="params")
    assert_close(old, {"B1": np.array([[1.0], [2.0]])}, name="the parameters that came in")
    assert_close(asked, [np.array([[1.0], [2.0]])], name="parameters of each forward pass")


# ---- 6 optimizers ------------------------------------------------------------------------------------------


def start():
    return {"W1": np.array([[2.0, -4.0]]), "B1": np.array([[1.0]])}


def slopes():
    return {"W1": np.array([[10.0, -0.5]]), "B1": np.array([[2.0]])}


@number("6.p1")
@weight(1)
@tags("optimizers")
def test_momentum_by_hand(impl):
    """With beta = 1/2 and a constant gradient g the velocity is g, then 1.5 g, then 1.75 g. Decay 0.5 at lr 0.1 takes
    a twentieth of W and nothing of B."""
    params, velocity, lengths = start(), None, []

    for _ in range(3):
        params, velocity = impl.momentum_step(params, slopes(), velocity, lr=0.1, beta=0.5)
        lengths.append(float(velocity["B1"][0, 0]))
    decayed, _ = impl.momentum_step(start(), slopes(), None, lr=0.1, weight_decay=0.5)

    assert_close(lengths, [2.0, 3.0, 3.5], name="velocity of B1")
    assert_close(params["B1"], np.array([[0.15]]), name="B1")
    assert_close(decayed, {"W1": np.array([[0.9, -3.75]]), "B1": np.array([[0.8]])}, name="decayed params")


@number("6.p2")
@weight(1)
@tags("optimizers")
def test_adam_steps_have_length_lr(impl):
    """While the gradient stays the same, every Adam step is lr long in every coordinate, large gradient or
    small. Decay 0.5 takes a further twentieth of W."""
    params, state = start(), None

    for k in range(1, 4):
        params, state = impl.adam_step(params, slopes(), state, lr=0.1)
        # eps = 1e-8 shortens a step by 2e-8 of its length at most
        want = np.array([[2.0 - 0.1 * k, -4.0 + 0.1 * k]])
        assert_close(params["W1"], want, atol=1e-7, name=f"W1 after step {k}")
    assert_close(params["B1"], np.array([[0.7]]), atol=1e-7, name="B1 after step 3")
    decayed, _ = impl.adam_step(start(), slopes(), None, lr=0.1, weight_decay=0.5)
    want = {"W1": np.array([[1.8, -3.7]]), "B1": np.array([[0.9]])}
    assert_close(decayed, want, atol=1e-7, name="decayed params")


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
@weight(1)
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
    """Seven examples in batches of 3 are batches of 3, 3 and 1, in the order that shuffle gave; their losses 1, 1 and
    8 have the mean 2 over the examples."""
    x, order, batches = np.arange(7.0)[:, None], np.array([6, 2, 0, 5, 1, 4, 3]), []

    def loss_and_grads(params, x, y):
        assert_close(y, x + 100, name="labels beside the examples of a batch")
        batches.append([float(value) for value in x[:, 0]])
        return (8.0 if len(x) == 1 else 1.0), params

    _, history = impl.fit(
        {"W1": np.zeros((1, 1))}, x, x + 100,
        loss_and_grads=loss_and_grads, step=lambda params, grads, state: (params, None),
        validate=lambda params: 5.0, shuffle=lambda n: order,
        batch_size=3, max_epochs=1, patience=1,
    )  # fmt: skip

    assert_close(batches, [[6.0, 2.0, 0.0], [5.0, 1.0, 4.0], [3.0]], name="batches")
    assert_close(history, {"train": [2.0], "val": [5.0]}, name="history")


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


@number("8.p3")
@weight(1)
@tags("value")
def test_a_long_chain(impl):
    """A sum of 2,000 terms x has slope 2,000, and a second call of backward gives the same."""
    x = impl.Value(0.5)

    out = x
    for _ in range(1999):
        out = out + x
    out.backward()
    first = x.grad
    out.backward()

    assert_close((out.data, first), (1000.0, 2000.0), name="value and slope")
    assert_close(x.grad, 2000.0, name="slope after a second call")
