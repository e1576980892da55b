"""Graded checks of backprop. What they rest on stands in notes.md."""

import math

import numpy as np
import pytest
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_leaves_arguments
from coursekit.compare import assert_close

PLAYERS = [2, 3, 4, 3, 1]
SQUARE = [3, 3, 3, 3]
NETWORKS = [
    pytest.param(PLAYERS, 10, id="players"),
    pytest.param(PLAYERS, 1, id="one_example"),
    pytest.param([5, 4], 1, id="one_layer"),
    pytest.param(SQUARE, 3, id="all_square"),
    pytest.param([2] * 12, 1, id="eleven_layers"),
]


def network(rng, n, b):
    """Random parameters with non-zero biases, and a batch: (params, x)."""
    params = {}
    for i in range(1, len(n)):
        params[f"W{i}"] = rng.standard_normal((n[i], n[i - 1])) / math.sqrt(n[i - 1])
        params[f"B{i}"] = rng.standard_normal((n[i], 1))
    return params, rng.standard_normal((b, n[0]))


def labels(rng, b):
    """Zeros and ones, shape (b, 1)."""
    return rng.integers(0, 2, size=(b, 1)).astype(float)


def bend(z):
    """An activation with a slope that nobody would guess from its values."""
    return z + 0.5 * np.sin(2 * z)


def bend_slope(z):
    return 1 + np.cos(2 * z)


def leak(z):
    """An activation whose slope is the same at Z and at A: where the slope is taken is another check's business."""
    return np.where(z > 0, z, z / 4)


def leak_slope(z):
    return np.where(z > 0, 1.0, 0.25)


def bare(n, rng):
    """Parameters and a batch without a negative number, on which |z| changes nothing: (params, x)."""
    params, x = network(rng, n, 4)
    return {name: np.abs(p) for name, p in params.items()}, np.abs(x)


# ---- 1 activations -----------------------------------------------------------------------------------------


@number("1.1")
@weight(3)
@tags("activations")
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("size", ["moderate", "extreme"])
def test_sigmoid_is_finite_for_any_logit(impl, agree, rng, size, dtype):
    """z and -z give p and 1 - p; the sigmoid of a very large or very small number is 1 or 0, never NaN."""
    z = np.concatenate([rng.normal(scale=3, size=20), rng.uniform(-30, 30, size=10)])
    z = (z if size == "moderate" else np.array([0, 90, -90, 1e4, -1e4])).astype(dtype)

    assert_close(impl.sigmoid(z) + impl.sigmoid(-z), np.ones_like(z), name="sigmoid(z) + sigmoid(-z)")
    agree("sigmoid", z)


@number("1.2")
@weight(1)
@tags("activations")
@pytest.mark.parametrize("name", ["sigmoid", "relu", "tanh"])
def test_slope_is_the_derivative_at_z(impl, agree, reference, rng, name):
    """The slope at z is the rate of change of the activation there: it takes z, not the activation."""
    z = rng.choice([-1, 1], size=(3, 4)) * rng.uniform(0.1, 3, size=(3, 4))  # away from ReLU's kink
    function, h = getattr(reference, name), 1e-4

    slope = getattr(impl, f"{name}_derivative")(z)

    # truncation h^2 |f^(3)| / 6 < 1e-8, rounding 2e-16 / h = 2e-12
    assert_close(slope, (function(z + h) - function(z - h)) / (2 * h), rtol=0, atol=1e-7, name="slope")
    agree(f"{name}_derivative", z)


@number("1.3")
@weight(1)
@tags("activations")
@pytest.mark.parametrize("dtype", [np.float64, np.float32], ids=["float64", "float32"])
def test_relus_slope_at_the_kink(agree, rng, dtype):
    """ReLU's slope is 1 above 0 and 0 elsewhere, at 0 too, as floating-point numbers of z's own dtype."""
    z = np.concatenate([[0.0, -0.0], rng.standard_normal(9), [1e-30, -1e-30]]).astype(dtype)

    agree("relu_derivative", z)


@number("1.4")
@weight(1)
@tags("activations")
@pytest.mark.parametrize("name", ["sigmoid", "sigmoid_derivative", "tanh_derivative", "relu_derivative"])
def test_activations_leave_z_alone(impl, reference, rng, name):
    """None of the four changes the z that it is given."""
    z = rng.standard_normal((2, 3))

    answer = assert_leaves_arguments(getattr(impl, name), z, name=name)

    assert_close(answer, getattr(reference, name)(z), name=name)


# ---- 2 forward ---------------------------------------------------------------------------------------------


@number("2.1")
@weight(2)
@tags("forward")
@pytest.mark.parametrize("n, b", NETWORKS)
def test_logits_of_a_batch(agree, rng, n, b):
    """The logits are W_L A_{L-1} + B_L, one column per example, with no activation on the last layer."""
    params, x = network(rng, n, b)

    def logits(impl):
        return impl.mlp_forward(x, params, activation=bend)[0]

    agree(logits)


@number("2.2")
@weight(2)
@tags("forward")
@pytest.mark.parametrize("n, b", NETWORKS)
def test_cache_holds_every_z_and_a(agree, rng, n, b):
    """The cache holds A_0 to A_{L-1} and Z_1 to Z_L, under these names, before and after the activation."""
    params, x = network(rng, n, b)

    def cache(impl):
        return impl.mlp_forward(x, params, activation=bend)[1]

    agree(cache)


@number("2.3")
@weight(2)
@tags("forward")
def test_examples_do_not_meet(impl, agree, rng):
    """Examples of a batch don't influence one another."""
    params, x = bare(PLAYERS, rng)

    batch, _ = impl.mlp_forward(x, params, activation=np.abs)
    alone = [impl.mlp_forward(x[j : j + 1], params, activation=np.abs)[0] for j in range(len(x))]

    assert_close(batch, np.concatenate(alone, axis=1), name="logits")
    agree("mlp_forward", x, params, activation=np.abs)


@number("2.4")
@weight(1)
@tags("forward")
def test_forward_leaves_its_arguments_alone(impl, reference, rng):
    """mlp_forward changes neither the batch nor a parameter."""
    params, x = bare([2, 3, 1], rng)

    answer = assert_leaves_arguments(impl.mlp_forward, x, params, name="mlp_forward", activation=np.abs)

    assert_close(answer, reference.mlp_forward(x, params, activation=np.abs), name="(logits, cache)")


# ---- 3 losses ----------------------------------------------------------------------------------------------


@number("3.1")
@weight(2)
@tags("losses")
@pytest.mark.parametrize("kind", ["hard_labels", "soft_label", "one_example", "float32"])
def test_binary_cross_entropy_and_its_gradient(agree, rng, kind):
    """The loss is the mean of -[y log p + (1 - y) log(1 - p)], with its gradient in the logits; float32 stays."""
    b = 7 if kind == "hard_labels" else 1
    dtype = np.float32 if kind == "float32" else np.float64
    logits = rng.normal(scale=2, size=(1, b)).astype(dtype)
    y = rng.uniform(size=(b, 1)) if kind == "soft_label" else labels(rng, b)

    # A Python float is held to float64's tolerance; made of float32 numbers it deserves float32's.
    tol = (1e-4, 1e-5) if kind == "float32" else None
    agree("binary_cross_entropy", logits, y.astype(dtype), tol=tol)


@number("3.2")
@weight(3)
@tags("losses")
@pytest.mark.parametrize("n_classes, b", [(4, 6), (10, 1), (3, 1), (2, 1)])
def test_softmax_cross_entropy_and_its_gradient(impl, agree, rng, n_classes, b):
    """The loss is the mean of -log p at the right class; its gradient sums to 0 over the classes of an
    example."""
    logits = rng.normal(scale=2, size=(n_classes, b))
    y = rng.integers(0, n_classes, size=b)

    _, d_logits = impl.softmax_cross_entropy(logits, y)

    assert_close(np.sum(d_logits, axis=0), np.zeros(b), atol=1e-12, name="gradient summed over classes")
    agree("softmax_cross_entropy", logits, y)


@number("3.3")
@weight(2)
@tags("losses")
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "softmax_cross_entropy"])
def test_losses_stay_finite(agree, rng, loss):
    """However large the logits are, and however far apart between examples, loss and gradient stay exact."""
    if loss == "binary_cross_entropy":
        examples = [(800.0, 1.0), (-800.0, 0.0), (800.0, 0.0), (-800.0, 1.0), (0.0, 1.0), (40.0, 0.0), (-40.0, 1.0)]
        agree(lambda impl: [impl.binary_cross_entropy(np.array([[z]]), np.array([[y]])) for z, y in examples])
    else:
        logits = rng.normal(size=(3, 5)) + np.array([0.0, 1e4, -1e4, 900.0, -900.0])
        logits[0, 0] += 1500  # a class that is certain
        agree("softmax_cross_entropy", logits, np.array([1, 2, 0, 1, 2]))


def example(rng, loss, b):
    """Logits and labels of a batch."""
    rows = 1 if loss == "binary_cross_entropy" else 3
    return rng.normal(size=(rows, b)), labels(rng, b) if rows == 1 else rng.integers(0, rows, size=b)


@number("3.4")
@weight(2)
@tags("losses")
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "softmax_cross_entropy"])
def test_gradient_is_the_losses_own_derivative(impl, agree, rng, loss):
    """The gradient in the logits is the rate of change of the loss that is returned with it."""
    logits, y = example(rng, loss, 5)
    direction, h = rng.standard_normal(logits.shape), 1e-4
    function = getattr(impl, loss)

    _, d_logits = function(logits, y)
    rise = (function(logits + h * direction, y)[0] - function(logits - h * direction, y)[0]) / (2 * h)

    # truncation below h^2 |direction|^3 / 6 < 1e-6 / b
    assert_close(np.sum(d_logits * direction), rise, rtol=1e-6, atol=1e-6, name="gradient along a direction")
    agree(loss, logits[:, :1], y[:1])


@number("3.5")
@weight(1)
@tags("losses")
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "softmax_cross_entropy"])
def test_loss_is_a_mean(impl, agree, rng, loss):
    """Seeing every example twice changes nothing in the loss, and halves each example's gradient."""
    logits, y = example(rng, loss, 5)
    function = getattr(impl, loss)

    value, d_logits = function(logits, y)
    twice, d_twice = function(np.concatenate([logits, logits], axis=1), np.concatenate([y, y]))

    assert_close(twice, value, name="loss of a batch seen twice")
    halves = np.concatenate([d_logits, d_logits], axis=1) / 2
    assert_close(d_twice, halves, name="gradient of a batch seen twice")
    agree(loss, logits[:, :1], y[:1])


@number("3.6")
@weight(2)
@tags("losses")
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "softmax_cross_entropy"])
def test_losses_do_not_mind_names_and_shifts(impl, agree, rng, loss):
    """Exchanging the two classes of the binary loss, or a shift of all logits of an example, changes no loss."""
    logits, y = example(rng, loss, 1)
    function = getattr(impl, loss)
    other, names = (-logits, 1 - y) if loss == "binary_cross_entropy" else (logits + 7.5, y)

    assert_close(function(other, names)[0], function(logits, y)[0], name="loss")
    agree(loss, logits, y)


@number("3.7")
@weight(1)
@tags("losses")
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "softmax_cross_entropy"])
def test_losses_leave_their_arguments_alone(impl, reference, rng, loss):
    """Neither loss changes the logits or the labels."""
    logits, y = example(rng, loss, 1)

    answer = assert_leaves_arguments(getattr(impl, loss), logits, y, name=loss)

    assert_close(answer, getattr(reference, loss)(logits, y), name="(loss, d_logits)")


# ---- 4 gradcheck -------------------------------------------------------------------------------------------


def cubic(rng, shape):
    """A cubic with a term for every pair of coordinates: (function, gradient), both of an array of
    `shape`."""
    size = math.prod(shape)
    a, b, c = rng.uniform(1, 3, size), rng.standard_normal((size, size)), rng.uniform(1, 2, size)

    def f(x):
        v = np.asarray(x, dtype=float).reshape(-1)
        return float(c @ v**3 + v @ b @ v + a @ v)

    def gradient(x):
        v = np.asarray(x, dtype=float).reshape(-1)
        return (3 * c * v**2 + (b + b.T) @ v + a).reshape(shape)

    return f, gradient


@number("4.1")
@weight(2)
@tags("gradcheck")
@pytest.mark.parametrize(
    "shape", [(3,), (2, 3), (), (1, 2, 2)], ids=["vector", "matrix", "number", "three_axes"]
)
def test_numerical_gradient_is_a_central_difference(agree, rng, shape):
    """A central difference: its error on a cubic is h^2 times a constant, which a wide step makes plain."""
    f, _ = cubic(rng, shape)

    agree("numerical_gradient", f, np.array(rng.standard_normal(shape)), h=0.5)
    agree("numerical_gradient", f, np.array(rng.integers(-3, 4, size=shape)), h=0.25)
    # the default h = 1e-5: rounding of f, about 1e-15 * |f| / h = 1e-9 with |f| < 10
    agree("numerical_gradient", f, np.array(rng.uniform(-1, 1, size=shape)), tol=(1e-7, 1e-7))


@number("4.2")
@weight(1)
@tags("gradcheck")
def test_each_coordinate_is_moved_alone(agree, rng):
    """The function is asked exactly twice per coordinate, at points that differ from x in that coordinate
    only."""
    x, h = rng.standard_normal((2, 3)), 0.125
    moves = []

    def f(point):
        moves.append(np.array(point) - x)
        return float(np.sum(np.sin(point)) + np.prod(point))

    def asked(impl):
        moves.clear()
        gradient = impl.numerical_gradient(f, x, h=h)
        drift = float(np.abs(np.sum(moves, axis=0)).max())  # forward and back cancel
        return gradient, len(moves), sorted(float(np.abs(move).sum()) for move in moves), drift

    _, calls, lengths, drift = agree(asked, tol=(1e-9, 1e-12))

    assert calls == 2 * x.size
    assert_close(np.array(lengths), np.full(calls, h), name="distances from x")
    assert drift < 1e-12


@number("4.3")
@weight(3)
@tags("gradcheck")
@pytest.mark.parametrize("shape", [(5,), (2, 3)], ids=["vector", "matrix"])
@pytest.mark.parametrize("wrong", ["one", "all"])
def test_wrong_coordinates_are_found(agree, reference, rng, shape, wrong):
    """The right gradient is accepted; a wrong coordinate is found where it is, and if all are wrong, all are."""
    f, gradient = cubic(rng, shape)
    x = rng.uniform(0.5, 1, size=shape)
    right = gradient(x)
    lent = {"numerical": reference.numerical_gradient}

    assert agree("wrong_coordinates", f, x, right, **lent) == []
    if wrong == "all":
        assert agree("wrong_coordinates", f, x, right + 1, **lent) == list(np.ndindex(shape))
        return
    for index in np.ndindex(shape):
        claim = right.copy()
        claim[index] += 1e-3 * rng.choice([-1, 1])
        assert agree("wrong_coordinates", f, x, claim, **lent) == [index]


@number("4.4")
@weight(2)
@tags("gradcheck")
@pytest.mark.parametrize("case", ["ratios", "small_slopes", "several", "not_finite", "overflow"])
def test_scales_and_nan(agree, reference, rng, case):
    """Each coordinate is judged on its own scale: a large one by its ratio, and nothing excuses a NaN or an infinity."""
    slopes = np.array([1e6, 1.0, 1e-3]) * rng.uniform(1, 2, 3)
    x = rng.standard_normal(3)

    def f(point):
        return float(slopes @ (point - x))  # 0 at x: no rounding hides the small slope

    def overflowing(point):
        return math.inf if point[1] > x[1] else f(point)

    def verdict(f, claim):
        return agree("wrong_coordinates", f, x, claim, numerical=reference.numerical_gradient)

    if case == "ratios":
        assert verdict(f, slopes * (1 + 3e-6)) == []
        assert verdict(f, slopes * [1, 1 + 3e-5, 1]) == [(1,)]
    elif case == "small_slopes":
        assert verdict(f, slopes * [1, 1, 1.01]) == [(2,)]
    elif case == "several":
        assert verdict(f, slopes * (1 + 3e-5)) == [(0,), (1,), (2,)]
    elif case == "not_finite":
        assert verdict(f, np.array([slopes[0], slopes[1], np.inf])) == [(2,)]
        assert verdict(f, np.array([slopes[0], np.nan, slopes[2]])) == [(1,)]
    else:
        infinite, missing, small = slopes * [1, math.inf, 1], slopes * [1, math.nan, 1], slopes * [1, 1, 1.01]
        lent = {"numerical": reference.numerical_gradient}

        def verdicts(impl):
            claims = [(overflowing, slopes), (overflowing, infinite), (overflowing, missing), (f, small)]
            return [impl.wrong_coordinates(g, x, claim, **lent) for g, claim in claims]

        assert agree(verdicts) == [[(1,)], [(1,)], [(1,)], [(2,)]]


@number("4.5")
@weight(1)
@tags("gradcheck")
@pytest.mark.parametrize("name", ["numerical_gradient", "wrong_coordinates"])
def test_checker_leaves_its_arguments_alone(impl, reference, rng, name):
    """Neither x nor a claimed gradient is changed, not even in the last bit."""
    x, slopes = rng.standard_normal(3), rng.uniform(1, 2, 3)
    args, lent = (lambda point: float(slopes @ point), x), {"h": 0.1}
    if name == "wrong_coordinates":
        args, lent = (*args, slopes * [1, 2, 1]), lent | {"numerical": reference.numerical_gradient}

    answer = assert_leaves_arguments(getattr(impl, name), *args, name=name, **lent)

    assert_close(answer, getattr(reference, name)(*args, **lent), name="answer")


# ---- 5 backward --------------------------------------------------------------------------------------------


def cached(reference, rng, n, b, activation=bend):
    """Parameters, the reference's cache, and a random gradient in the logits."""
    params, x = network(rng, n, b)
    _, cache = reference.mlp_forward(x, params, activation=activation)
    return params, cache, rng.standard_normal((n[-1], b))


def of_kind(letter, params, cache, d_logits):
    """A scenario: the gradients of the weights ("W") or of the biases ("B") alone."""

    def gradients(impl):
        grads = impl.mlp_backward(params, cache, d_logits, derivative=leak_slope)
        return {name: grads[name] for name in params if name.startswith(letter)}

    return gradients


@number("5.1")
@weight(5)
@tags("backward")
@pytest.mark.parametrize("n, b", NETWORKS)
def test_gradient_of_every_weight(agree, reference, rng, n, b):
    """The gradient in every weight, for any gradient in the logits."""
    agree(of_kind("W", *cached(reference, rng, n, b, leak)))


@number("5.2")
@weight(3)
@tags("backward")
@pytest.mark.parametrize("n, b", NETWORKS)
def test_gradient_of_every_bias(agree, reference, rng, n, b):
    """The gradient in every bias, with the shape of the biases."""
    agree(of_kind("B", *cached(reference, rng, n, b, leak)))


@number("5.3")
@weight(3)
@tags("backward")
def test_slopes_are_taken_at_z(agree, reference, rng):
    """The activation's slope is asked for once per hidden layer, at that layer's Z, and not at the output."""
    params, cache, d_logits = cached(reference, rng, PLAYERS, 1)
    asked = []

    def slope(z):
        asked.append(np.array(z))
        return bend_slope(z)

    def backward(impl):
        asked.clear()
        grads = impl.mlp_backward(params, cache, d_logits, derivative=slope)
        return grads, len(asked), sorted(float(np.sum(z)) for z in asked)

    agree(backward)


@number("5.4")
@weight(1)
@tags("backward")
def test_gradient_of_a_batch_is_the_sum_over_its_examples(impl, agree, reference, rng):
    """Gradients add up over examples, in any order: the mean's 1/b is already in the gradient of the
    logits."""
    params, cache, d_logits = cached(reference, rng, PLAYERS, 4, leak)

    def columns(keep):
        part = {name: value[:, keep] for name, value in cache.items()}
        return impl.mlp_backward(params, part, d_logits[:, keep], derivative=leak_slope)

    whole, shuffled = columns(np.arange(4)), columns(rng.permutation(4))
    parts = [columns([j]) for j in range(4)]

    for name in params:
        assert_close(sum(part[name] for part in parts), whole[name], name=f"{name} summed over examples")
        assert_close(shuffled[name], whole[name], name=f"{name} of the shuffled batch")
    agree("mlp_backward", params, cache, d_logits, derivative=leak_slope)


def squared(logits, y):
    """A loss that is not of this assignment."""
    return float(np.mean((logits - y.T) ** 2)), 2 * (logits - y.T) / len(y)


def lent(reference, activation, derivative):
    """What gradient_step gets from the checks."""
    passes = {"forward": reference.mlp_forward, "backward": reference.mlp_backward}
    return {"loss": squared, "activation": activation, "derivative": derivative, **passes}


@number("5.5")
@weight(3)
@tags("backward")
@pytest.mark.parametrize("n", [PLAYERS, [3, 3, 3, 1], [4, 1]], ids=["players", "square_inside", "one_layer"])
def test_gradient_step_moves_against_the_old_gradient(impl, agree, reference, rng, n):
    """A step moves every parameter by -lr times its gradient at the OLD parameters, and reports the old
    loss."""
    params, x = network(rng, n, 6)
    y = labels(rng, 6)
    before, _ = squared(reference.mlp_forward(x, params, activation=bend)[0], y)

    _, value = impl.gradient_step(params, x, y, lr=0.7, **lent(reference, bend, bend_slope))

    assert_close(value, before, name="loss before the step")
    agree("gradient_step", params, x, y, lr=0.7, **lent(reference, bend, bend_slope))


@number("5.6")
@weight(1)
@tags("backward")
@pytest.mark.parametrize("name", ["mlp_backward", "gradient_step"])
def test_backward_leaves_its_arguments_alone(impl, reference, rng, name):
    """Parameters, cache, gradients, batch and labels stay as they were."""
    params, cache, d_logits = cached(reference, rng, [2, 3, 1], 1, leak)
    args, given = (params, cache, d_logits), {"derivative": leak_slope}
    if name == "gradient_step":
        args, given = (params, cache["A0"].T.copy(), labels(rng, 1)), {"lr": 0.5, **lent(reference, leak, leak_slope)}

    answer = assert_leaves_arguments(getattr(impl, name), *args, name=name, **given)

    assert_close(answer, getattr(reference, name)(*args, **given), name="answer")


# ---- 6 optimizers ------------------------------------------------------------------------------------------


def parameters(rng, dtype=np.float64):
    """Parameters of a small network, none of them 0."""
    shapes = {"W1": (3, 2), "B1": (3, 1), "W2": (1, 3), "B2": (1, 1)}
    signed = {name: rng.uniform(0.5, 2, shape) * rng.choice([-1, 1], shape) for name, shape in shapes.items()}
    return {name: p.astype(dtype) for name, p in signed.items()}


def steps(name, params, gradients, **rates):
    """A scenario: the parameters after each step, and the last state."""

    def run(impl):
        current, state, path = params, None, []
        for grads in gradients:
            current, state = getattr(impl, name)(current, grads, state, **rates)
            path.append(current)
        return path, state

    return run


@number("6.1")
@weight(2)
@tags("optimizers")
@pytest.mark.parametrize("n_steps, beta", [(1, 0.9), (5, 0.9), (4, 0.5), (3, 0.0)])
def test_momentum_steps(agree, rng, n_steps, beta):
    """The velocity keeps beta of itself and takes in the whole gradient, at every step."""
    gradients = [parameters(rng) for _ in range(n_steps)]

    agree(steps("momentum_step", parameters(rng), gradients, lr=0.1, beta=beta))


@number("6.2")
@weight(3)
@tags("optimizers")
@pytest.mark.parametrize("case", ["one_step", "two_steps", "six_steps", "tiny_gradients"])
def test_adam_steps(agree, rng, case):
    """Adam divides the corrected mean gradient by the root of the corrected mean square, eps outside the
    root."""
    # at 1e-7 an eps inside the root (1e-4 beside 1e-7) or outside it are worlds apart
    scale = 1e-7 if case == "tiny_gradients" else 1.0
    n_steps = {"one_step": 1, "six_steps": 6}.get(case, 2)
    gradients = [{name: g * scale for name, g in parameters(rng).items()} for _ in range(n_steps)]

    agree(steps("adam_step", parameters(rng), gradients, lr=0.01, beta1=0.8, beta2=0.95))


@number("6.3")
@weight(1)
@tags("optimizers")
def test_adams_steps_have_length_lr(impl, agree, rng):
    """Adam's first step is lr in every coordinate, whatever the gradient's size; so is each one while it
    stays the same."""
    params = parameters(rng)
    grads = {name: g * 10.0 ** rng.uniform(-2, 3, g.shape) for name, g in parameters(rng).items()}
    three = steps("adam_step", params, [grads] * 3, lr=0.01)

    path, _ = three(impl)

    for k, after in enumerate(path, start=1):
        for name in params:
            want = params[name] - 0.01 * k * np.sign(grads[name])
            # eps shortens the step by at most 1e-8 / 0.005
            assert_close(after[name], want, rtol=0, atol=1e-7, name=name)
    agree(three)


@number("6.4")
@weight(2)
@tags("optimizers")
@pytest.mark.parametrize("name", ["momentum_step", "adam_step"])
def test_weight_decay_shrinks_weights_only(impl, agree, rng, name):
    """Without a gradient, decay moves each W by -lr * weight_decay * W, and leaves biases and the optimizer's memory
    alone."""
    params = parameters(rng)
    still = steps(name, params, [{key: np.zeros_like(g) for key, g in params.items()}] * 2, lr=0.1, weight_decay=0.5)

    path, _ = still(impl)

    for key in params:
        factor = 0.95**2 if key.startswith("W") else 1.0
        assert_close(path[-1][key], params[key] * factor, name=f"{key} after two steps without a gradient")
    agree(still)


@number("6.5")
@weight(1)
@tags("optimizers")
@pytest.mark.parametrize("name", ["momentum_step", "adam_step"])
def test_float32_parameters_stay_float32(agree, rng, name):
    """Parameters and memory keep their dtype."""
    beta = {"beta": 0.0} if name == "momentum_step" else {}

    agree(steps(name, parameters(rng, np.float32), [parameters(rng, np.float32)], lr=0.3, **beta))


@number("6.6")
@weight(1)
@tags("optimizers")
@pytest.mark.parametrize("name", ["momentum_step", "adam_step"])
def test_optimizers_leave_their_arguments_alone(impl, reference, rng, name):
    """Neither the parameters nor the gradients nor the old memory change."""
    params, grads = parameters(rng), parameters(rng)
    rates = {"lr": 0.1} | ({"beta": 0.0} if name == "momentum_step" else {})
    state = getattr(reference, name)(params, parameters(rng), None, **rates)[1]

    answer = assert_leaves_arguments(getattr(impl, name), params, grads, state, name=name, **rates)

    assert_close(answer, getattr(reference, name)(params, grads, state, **rates), name="(params, state)")


# ---- 7 training --------------------------------------------------------------------------------------------


class Course:
    """Something to train, with every call that the loop makes written down."""

    def __init__(self, rng, *, n=11, vals=None):
        self.x, self.y = rng.standard_normal((n, 2)), rng.standard_normal((n, 1))
        self.params = {"W1": rng.standard_normal((1, 2)), "B1": rng.standard_normal((1, 1))}
        self.orders = [rng.permutation(n) for _ in range(12)]
        self.vals = vals or [float(val) for val in range(12, 0, -1)]
        self.batches, self.memories, self.shuffled, self.validated = [], [], [], []

    def loss_and_grads(self, params, x, y):
        """The loss is the mean of the features; the gradients are ones, so that the parameters count the
        steps."""
        self.batches.append({"x": np.array(x), "y": np.array(y), **params})
        return float(np.mean(x)), {name: np.ones_like(p) for name, p in params.items()}

    def step(self, params, grads, state):
        self.memories.append(state)
        params = {name: p - 0.05 * grads[name] for name, p in params.items()}
        return params, {"taken": len(self.memories)}

    def shuffle(self, n):
        self.shuffled.append(n)
        return self.orders[len(self.shuffled) - 1]

    def validate(self, params):
        self.validated.append(params)
        return self.vals[len(self.validated) - 1]

    def fit(self, impl, *, batch_size=4, max_epochs=3, patience=3):
        for log in (self.batches, self.memories, self.shuffled, self.validated):
            log.clear()
        return impl.fit(
            self.params, self.x, self.y, loss_and_grads=self.loss_and_grads, step=self.step,
            validate=self.validate, shuffle=self.shuffle,
            batch_size=batch_size, max_epochs=max_epochs, patience=patience,
        )  # fmt: skip


@number("7.1")
@weight(3)
@tags("training")
@pytest.mark.parametrize(
    "n, batch_size", [(11, 4), (8, 4), (3, 1), (5, 9)], ids=["rest", "even", "singles", "one_batch"]
)
def test_every_example_once_per_epoch(agree, rng, n, batch_size):
    """Each epoch asks for a new order and goes through all examples in it, labels beside them, the last short
    batch too."""
    course = Course(rng, n=n)

    def run(impl):
        best, history = course.fit(impl, batch_size=batch_size)
        return best, history["val"], list(course.batches), list(course.shuffled), list(course.validated)

    agree(run)


@number("7.2")
@weight(2)
@tags("training")
def test_optimizers_memory_is_handed_on(agree, rng):
    """The optimizer starts from None once, and gets its own last state at every later step, in later epochs
    too."""
    course = Course(rng, n=8)

    def run(impl):
        best, history = course.fit(impl, max_epochs=4)
        return list(course.memories), history["val"], best

    memories, _, _ = agree(run)

    assert memories == [None] + [{"taken": k} for k in range(1, 8)]


@number("7.3")
@weight(3)
@tags("training")
@pytest.mark.parametrize(
    "vals, patience",
    [
        pytest.param([5, 4, 3, 4, 5, 6, 7, 8], 2, id="rises"),
        pytest.param([5, 4, 6, 3, 6, 2, 6, 6, 6, 1], 3, id="interrupted"),
        pytest.param([5, 3, 3, 3, 3, 3], 2, id="ties"),
        pytest.param([5, 6, 1, 1], 1, id="impatient"),
        pytest.param([8, 7, 6, 5, 4, 3], 2, id="still_falling"),
        pytest.param([math.inf] * 6, 2, id="never_improves"),
    ],
)
def test_early_stopping_returns_the_best(agree, rng, vals, patience):
    """Training stops after `patience` epochs in a row without a new lowest loss, and gives the parameters of
    the lowest."""
    # one example: nothing to shuffle or to divide
    course = Course(rng, n=1, vals=[float(val) for val in vals])

    def run(impl):
        best, history = course.fit(impl, batch_size=1, max_epochs=len(vals), patience=patience)
        return best, history["val"], len(course.validated)

    agree(run)


@number("7.4")
@weight(1)
@tags("training")
@pytest.mark.parametrize("batch_size", [4, 11])
def test_training_loss_is_a_mean_over_examples(agree, rng, batch_size):
    """The training loss of an epoch weighs every example alike, also those of a short last batch."""
    course = Course(rng)

    def run(impl):
        best, history = course.fit(impl, batch_size=batch_size)
        return history["train"], best

    losses, _ = agree(run)

    # the loss of a batch is the mean of its features here, so any order and any batches give the mean of all
    assert_close(losses, [float(np.mean(course.x))] * 3, name="training losses")


@number("7.5")
@weight(1)
@tags("training")
def test_fit_leaves_its_arguments_alone(impl, rng):
    """Neither the starting parameters nor the data change, though training goes on from them."""
    course = Course(rng, n=1, vals=[2.0, 3.0])

    want = {name: p - 0.05 for name, p in course.params.items()}
    given = {
        "loss_and_grads": course.loss_and_grads, "step": course.step, "validate": course.validate,
        "shuffle": course.shuffle, "batch_size": 1, "max_epochs": 2, "patience": 2,
    }  # fmt: skip
    best, history = assert_leaves_arguments(impl.fit, course.params, course.x, course.y, name="fit", **given)

    assert_close(history["val"], [2.0, 3.0], name="validation losses")
    assert_close(best, want, name="the best parameters")


# ---- 8 value -----------------------------------------------------------------------------------------------


@number("8.1")
@weight(2)
@tags("value")
@pytest.mark.parametrize("operation", ["sum", "product", "function", "with_numbers"])
def test_single_operations(agree, rng, operation):
    """A sum passes its gradient to both terms, a product multiplies it by the other factor, a function by its
    slope."""
    a, b = rng.uniform(0.5, 2, size=2)

    def run(impl):
        x, y = impl.Value(a), impl.Value(b)
        asked = []
        if operation == "sum":
            out = x + y
        elif operation == "product":
            out = x * y
        elif operation == "function":
            out = x.apply(lambda v: v**3 + v, lambda v: asked.append(v) or 3 * v**2 + 1) * y
        else:
            out = (3 - x) * 2 + 1 / y - x / 4 + y**2
        out.backward()
        return out.data, x.grad, y.grad, out.grad, asked

    agree(run)


@number("8.2")
@weight(3)
@tags("value")
@pytest.mark.parametrize("shape", ["square", "double", "diamond", "ladder"])
def test_node_used_twice_gets_both_gradients(agree, rng, shape):
    """A node that is used in several places receives the sum of what comes back from each."""
    a, b = rng.uniform(0.5, 2, size=2)

    def run(impl):
        x, y = impl.Value(a), impl.Value(b)
        if shape == "square":
            out = x * x
        elif shape == "double":
            out = x + x
        elif shape == "diamond":
            middle = x * y
            out = middle.exp() * x + middle.tanh() * middle
        else:
            out = x
            for _ in range(40):  # 2^40 paths from the end to x
                out = out + out
        out.backward()
        return out.data, x.grad, y.grad

    agree(run)


@number("8.3")
@weight(3)
@tags("value")
@pytest.mark.parametrize("size", [6, 15, 30])
def test_random_graph(agree, rng, size):
    """In any graph, every node's gradient is complete before it is handed on, so all nodes come out right."""
    leaves = rng.uniform(-1, 1, size=3)
    # what to make the next node of: an operation, any earlier node, and a recent one
    plan = [tuple(rng.integers([0, 0, max(0, k - 2)], [4, 3 + k, 3 + k]).tolist()) for k in range(size)]

    def run(impl):
        nodes = [impl.Value(float(leaf)) for leaf in leaves]
        for operation, i, j in plan:
            if operation == 0:
                nodes.append((nodes[i] + nodes[j]) / 2)
            elif operation == 1:
                nodes.append(nodes[i] * nodes[j].tanh())  # bounded, so that thirty of them don't overflow
            elif operation == 2:
                nodes.append(nodes[j].tanh() - nodes[i])
            else:
                nodes.append(nodes[j].relu() * 0.5 + nodes[i])
        out = nodes[0]
        for node in nodes[1:]:
            out = out + node.tanh()
        out.backward()
        return [node.data for node in nodes], [node.grad for node in nodes]

    agree(run)


@number("8.4")
@weight(1)
@tags("value")
def test_deep_graph(agree, rng):
    """A graph deeper than Python's recursion limit is no obstacle."""
    a = rng.uniform(0.5, 2)

    def run(impl):
        x = impl.Value(a)
        out = x
        for _ in range(600):  # each makes two nodes in a row
            out = 1 - out
        out = out * x
        out.backward()
        return out.data, x.grad

    agree(run)


@number("8.5")
@weight(1)
@tags("value")
def test_backward_starts_afresh(agree, rng):
    """A second call gives the same gradients, a call from another node gives that node's, and no number changes."""
    a, b = rng.uniform(0.5, 2, size=2)

    def run(impl):
        x, y = impl.Value(a), impl.Value(b)
        inner = x * y
        out = inner * inner + x
        results = []
        for end in (out, out, inner):
            end.backward()
            results.append((x.grad, y.grad, inner.grad))
        return results, (x.data, y.data, inner.data)

    agree(run)


@number("8.6")
@weight(1)
@tags("value")
def test_engine_and_formulas_give_one_gradient(agree, reference, rng):
    """A small network written with Values has the same gradient as backpropagation by layers."""
    params, x = network(rng, [2, 2, 1], 1)

    def run(impl):
        p = {name: [[impl.Value(float(v)) for v in row] for row in value] for name, value in params.items()}
        hidden = []
        for row, bias in zip(p["W1"], p["B1"], strict=True):
            hidden.append((row[0] * float(x[0, 0]) + row[1] * float(x[0, 1]) + bias[0]).tanh())
        logit = p["W2"][0][0] * hidden[0] + p["W2"][0][1] * hidden[1] + p["B2"][0][0]
        logit.backward()
        return {name: np.array([[v.grad for v in row] for row in rows]) for name, rows in p.items()}

    got = agree(run)

    _, cache = reference.mlp_forward(x, params, activation=reference.tanh)
    want = reference.mlp_backward(params, cache, np.ones((1, 1)), derivative=reference.tanh_derivative)
    assert_close(got, want, name="gradient")
