"""Backpropagation by hand, in NumPy: a multilayer perceptron, its training, and a scalar autodiff engine.

Conventions, used by every function here:

- `x` has shape (b, f): one example per row. Inside the network one example is one COLUMN,
  so A_0 = x.T has shape (f, b) and every Z_i and A_i has shape (n_i, b).
- `params` is a dict with W_i of shape (n_i, n_{i-1}) under "W1", "W2", ... and B_i of shape (n_i, 1)
  under "B1", "B2", .... Layers count from 1 to L, as in the formulas. Gradients use the same names.
- The last layer has no activation: its Z_L are the logits, and the loss turns them into probabilities.
- Losses are means over the batch. That 1/b stands in the loss's gradient, and nowhere else.
- No function changes its arguments. Results have the dtype of the inputs.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable

import numpy as np

Params = dict[str, np.ndarray]


# ---------------------------------------------------------------------------------------------------
# Given: sizes, starting values and checks
# ---------------------------------------------------------------------------------------------------


def n_layers(params: Params) -> int:
    """The number L of weight matrices, so that the layers are `range(1, L + 1)`."""
    return sum(name.startswith("W") for name in params)


def init_params(n: list[int], rng: np.random.Generator) -> Params:
    """Random starting parameters of a network whose layer i has n[i] neurons; n[0] counts the features.

    Weights are normal with standard deviation 1/sqrt(n_{i-1}), which keeps the spread of Z about the
    same from layer to layer; biases are 0.

    >>> {name: p.shape for name, p in init_params([2, 3, 1], np.random.default_rng(0)).items()}
    {'W1': (3, 2), 'B1': (3, 1), 'W2': (1, 3), 'B2': (1, 1)}
    """
    params = {}
    for i in range(1, len(n)):
        params[f"W{i}"] = rng.standard_normal((n[i], n[i - 1])) / math.sqrt(n[i - 1])
        params[f"B{i}"] = np.zeros((n[i], 1))
    return params


def check_shapes(x: np.ndarray, params: Params) -> None:
    """Raise ValueError unless `x` is (b, f) and the layers' shapes fit it and one another."""
    if x.ndim != 2:
        raise ValueError(f"x must have shape (b, f), got {x.shape}")
    width = x.shape[1]
    for i in range(1, n_layers(params) + 1):
        w, b = params[f"W{i}"], params[f"B{i}"]
        if w.ndim != 2 or w.shape[1] != width:
            raise ValueError(f"W{i} must have shape (n_{i}, {width}) to fit the layer before, got {w.shape}")
        if b.shape != (w.shape[0], 1):
            raise ValueError(f"B{i} must have shape ({w.shape[0]}, 1), one bias per neuron, got {b.shape}")
        width = w.shape[0]


# ---------------------------------------------------------------------------------------------------
# Task 1: activations
# ---------------------------------------------------------------------------------------------------


def sigmoid(z: np.ndarray) -> np.ndarray:
    """The probability whose log-odds are z: 1 / (1 + exp(-z)), which is exp(z) / (1 + exp(z)), for z of any size.

    Args:
        z: Any shape, floating point. May be as large as 1e4 in either direction: no NaN may come out.

    Returns:
        Values in [0, 1], with the shape and dtype of `z`.
    """
    # For each z, a form whose exponential can't overflow.
    # BEGIN SOLUTION activations
    e = np.exp(-np.abs(z))  # in (0, 1]
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))
    # END SOLUTION


def sigmoid_derivative(z: np.ndarray) -> np.ndarray:
    """The slope of the sigmoid at the pre-activation z (not at the activation).

    Returns:
        Values in [0, 1/4], with the shape and dtype of `z`.
    """
    # BEGIN SOLUTION activations
    return sigmoid(z) * sigmoid(-z)
    # END SOLUTION


def relu(z: np.ndarray) -> np.ndarray:
    """z where it is positive, 0 elsewhere; shape and dtype of `z`. (Given.)"""
    return np.maximum(z, 0)


def relu_derivative(z: np.ndarray) -> np.ndarray:
    """The slope of ReLU at the pre-activation z: 1 where z > 0 and 0 elsewhere, 0 at z = 0 itself.

    Returns:
        Zeros and ones as floating-point numbers, with the shape and dtype of `z`.
    """
    # BEGIN SOLUTION activations
    return (z > 0).astype(z.dtype)
    # END SOLUTION


def tanh(z: np.ndarray) -> np.ndarray:
    """The hyperbolic tangent, (exp(z) - exp(-z)) / (exp(z) + exp(-z)), for z of any size; dtype of `z`. (Given.)"""
    return np.tanh(z)


def tanh_derivative(z: np.ndarray) -> np.ndarray:
    """The slope of tanh at the pre-activation z; shape and dtype of `z`."""
    # BEGIN SOLUTION activations
    return 1 - np.tanh(z) ** 2
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 2: the forward pass
# ---------------------------------------------------------------------------------------------------


def mlp_forward(
    x: np.ndarray, params: Params, *, activation: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, Params]:
    """The network's logits for a batch, with every Z and A that the backward pass will need.

    Z_i = W_i A_{i-1} + B_i with A_0 = x.T, and A_i = activation(Z_i) for every layer but the last.

    Args:
        x: Batch, shape (b, f), floating point.
        params: W_i (n_i, n_{i-1}) and B_i (n_i, 1) for i = 1 .. L.
        activation: Elementwise, array in and array of the same shape out. Applied to the L - 1 hidden layers.

    Returns:
        logits: Z_L, shape (n_L, b).
        cache: "A0", "Z1", "A1", "Z2", ..., "A{L-1}", "Z{L}", each of shape (n_i, b). No "A{L}".

    Raises:
        ValueError: If x is not (b, f), or a W or B does not fit the layer before it.
    """
    check_shapes(x, params)
    # Steps: A_0; then, layer by layer, Z_i and, but for the last, A_i.
    # BEGIN SOLUTION forward
    last = n_layers(params)
    cache = {"A0": x.T}  # (f, b)
    for i in range(1, last + 1):
        cache[f"Z{i}"] = params[f"W{i}"] @ cache[f"A{i - 1}"] + params[f"B{i}"]  # (n_i, b)
        if i < last:
            cache[f"A{i}"] = activation(cache[f"Z{i}"])
    return cache[f"Z{last}"], cache
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 3: losses from logits
# ---------------------------------------------------------------------------------------------------


def binary_cross_entropy(logits: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean surprise at labels predicted with probability sigmoid(logit), and its gradient.

    C = -(1/b) sum [y log p + (1 - y) log(1 - p)] with p = sigmoid(z), computed from z so that it is finite
    for logits of any size.

    Args:
        logits: Shape (1, b), as the network returns them.
        y: Labels, shape (b, 1), as they lie in the data. Values in [0, 1]; between them they are soft labels.

    Returns:
        loss: C, a float.
        d_logits: dC/dZ, shape (1, b).

    Raises:
        ValueError: If logits is not (1, b) with b >= 1, y is not (b, 1), or a label lies outside [0, 1].
    """
    if logits.ndim != 2 or logits.shape[0] != 1 or logits.shape[1] == 0:
        raise ValueError(f"logits must have shape (1, b) with b >= 1, got {logits.shape}")
    if y.shape != (logits.shape[1], 1):
        raise ValueError(f"y must have shape ({logits.shape[1]}, 1) to fit the logits, got {y.shape}")
    if not np.all((y >= 0) & (y <= 1)):
        raise ValueError(f"y must lie in [0, 1], got values from {y.min()} to {y.max()}")
    # Steps: y in the shape of the logits; the loss, by your form; its gradient, by your formula.
    # BEGIN SOLUTION losses
    b = logits.shape[1]
    target = y.T  # (1, b)
    # -log p = softplus(-z) and -log(1-p) = softplus(z) = z + softplus(-z)
    softplus = np.maximum(logits, 0) + np.log1p(np.exp(-np.abs(logits)))
    loss = np.sum(softplus - target * logits) / b
    return float(loss), (sigmoid(logits) - target) / b
    # END SOLUTION


def softmax_cross_entropy(logits: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray]:
    """The mean surprise at the right class when classes are predicted with softmax(logits), and its gradient.

    C = -(1/b) sum_j log p[y_j, j], where column j of p is the softmax of column j of the logits.

    Args:
        logits: Shape (K, b): one column per example. Finite, of any size.
        y: The right classes, shape (b,), integers in 0 .. K-1.

    Returns:
        loss: C, a float.
        d_logits: dC/dZ, shape (K, b).

    Raises:
        ValueError: If logits is not (K, b) with b >= 1, y is not (b,) integers, or a class lies outside.
    """
    if logits.ndim != 2 or logits.shape[1] == 0:
        raise ValueError(f"logits must have shape (K, b) with b >= 1, got {logits.shape}")
    n_classes, b = logits.shape
    if y.shape != (b,) or not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"y must be integers of shape ({b},), got {y.dtype} of shape {y.shape}")
    if y.min() < 0 or y.max() >= n_classes:
        raise ValueError(f"y must lie in 0 .. {n_classes - 1}, got values from {y.min()} to {y.max()}")
    # Steps: log p of each column, by a form that can't overflow; the mean; the gradient, by your formula.
    # BEGIN SOLUTION losses
    shifted = logits - logits.max(axis=0, keepdims=True)
    logp = shifted - np.log(np.exp(shifted).sum(axis=0, keepdims=True))  # (K, b)
    examples = np.arange(b)
    d_logits = np.exp(logp)
    d_logits[y, examples] -= 1
    return float(-np.sum(logp[y, examples]) / b), d_logits / b
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 4: a gradient checker
# ---------------------------------------------------------------------------------------------------


def numerical_gradient(f: Callable[[np.ndarray], float], x: np.ndarray, *, h: float = 1e-5) -> np.ndarray:
    """The gradient of a scalar function by central differences, one coordinate at a time.

    Entry j is the slope of the secant of f from a step h behind x to a step h ahead of it, along coordinate j alone.

    Args:
        f: Takes an array of the shape of `x` (float64), returns a float. Called exactly 2 * x.size times.
        x: Where to take the gradient; any shape, integers allowed. It is the same after the call as before.
        h: Step, > 0.

    Returns:
        float64, the shape of `x`.

    Raises:
        ValueError: If h is not positive.
    """
    if not h > 0:
        raise ValueError(f"h must be positive, got {h}")
    # Each coordinate in turn; x itself stays as it is.
    # BEGIN SOLUTION gradcheck
    x = np.asarray(x, dtype=np.float64)
    grad = np.empty_like(x)
    for index in np.ndindex(x.shape):
        forward, back = x.copy(), x.copy()
        forward[index] += h
        back[index] -= h
        grad[index] = (f(forward) - f(back)) / (2 * h)
    return grad
    # END SOLUTION


def wrong_coordinates(
    f: Callable[[np.ndarray], float],
    x: np.ndarray,
    grad: np.ndarray,
    *,
    h: float = 1e-5,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    numerical: Callable[..., np.ndarray] = numerical_gradient,
) -> list[tuple[int, ...]]:
    """The coordinates where a claimed gradient is not the gradient of f; an empty list accepts it.

    Coordinate j is right when |grad_j - g_j| <= atol + rtol * |g_j|, with g_j the central difference.
    A NaN or an infinity is wrong, in `grad` as in the central difference.

    Args:
        f: Takes an array of the shape of `x`, returns a float.
        x: Where the gradient was taken; any shape.
        grad: The claim, the shape of `x`.
        h, rtol, atol: Step of the central difference, and the tolerances above.
        numerical: (f, x, h=h) -> central differences, as `numerical_gradient`: your own unless the caller says otherwise.

    Returns:
        Indices as tuples of ints, such as (0, 2), in row-major order (last index fastest).

    Raises:
        ValueError: If grad and x differ in shape.

    >>> wrong_coordinates(lambda v: float(v[0] ** 2 + v[1]), np.array([3.0, 1.0]), np.array([6.0, 2.0]))
    [(1,)]
    """
    if np.shape(grad) != np.shape(x):
        raise ValueError(f"grad must have the shape of x, {np.shape(x)}, got {np.shape(grad)}")
    # Steps: the central differences; the verdict on each coordinate; the indices of the wrong ones.
    # BEGIN SOLUTION gradcheck
    numeric = numerical(f, x, h=h)
    with np.errstate(invalid="ignore"):  # inf - inf
        near = np.abs(grad - numeric) <= atol + rtol * np.abs(numeric)  # False for NaN, but inf <= inf
    right = near & np.isfinite(numeric)
    return [tuple(int(k) for k in index) for index in np.argwhere(~right)]
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 5: the backward pass
# ---------------------------------------------------------------------------------------------------


def mlp_backward(
    params: Params, cache: Params, d_logits: np.ndarray, *, derivative: Callable[[np.ndarray], np.ndarray]
) -> Params:
    """The gradient of the loss in every W and B, given its gradient in the logits.

    It goes from the last layer, whose dC/dZ_L is `d_logits`, to the first, by your formulas.

    Args:
        params: W_i (n_i, n_{i-1}) and B_i (n_i, 1).
        cache: What `mlp_forward` kept, for the same params.
        d_logits: dC/dZ_L, shape (n_L, b). The 1/b of the mean is already in it.
        derivative: The activation's slope, elementwise, as a function of Z. Called once per hidden layer.

    Returns:
        The names and shapes of `params`.

    Raises:
        ValueError: If d_logits has another shape than the cached Z_L.
    """
    last = n_layers(params)
    due = cache[f"Z{last}"].shape
    if d_logits.shape != due:
        raise ValueError(f"d_logits must have the shape of Z{last}, {due}, got {d_logits.shape}")
    # From the last layer to the first: the gradients of W_i and B_i, then that of the Z before.
    # BEGIN SOLUTION backward
    grads = {}
    delta = d_logits  # (n_L, b)
    for i in range(last, 0, -1):
        grads[f"W{i}"] = delta @ cache[f"A{i - 1}"].T  # (n_i, n_{i-1})
        grads[f"B{i}"] = delta.sum(axis=1, keepdims=True)  # (n_i, 1)
        if i > 1:
            delta = (params[f"W{i}"].T @ delta) * derivative(cache[f"Z{i - 1}"])  # (n_{i-1}, b)
    return grads
    # END SOLUTION


def gradient_step(
    params: Params,
    x: np.ndarray,
    y: np.ndarray,
    *,
    lr: float,
    loss: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]],
    activation: Callable[[np.ndarray], np.ndarray],
    derivative: Callable[[np.ndarray], np.ndarray],
    forward: Callable[..., tuple[np.ndarray, Params]] = mlp_forward,
    backward: Callable[..., Params] = mlp_backward,
) -> tuple[Params, float]:
    """One step of plain gradient descent on a batch: every parameter moves by -lr times its gradient.

    All gradients are taken at the old parameters.

    Args:
        params: W_i (n_i, n_{i-1}) and B_i (n_i, 1).
        x: Batch, shape (b, f).
        y: Labels, in the shape that `loss` wants.
        lr: Learning rate, > 0.
        loss: (logits, y) -> (loss, d_logits), such as `binary_cross_entropy`. Called once.
        activation, derivative: The hidden layers' function and its slope.
        forward, backward: Work as `mlp_forward` and `mlp_backward`: your own unless the caller says otherwise. Called once.

    Returns:
        new_params: The names and shapes of `params`.
        value: The loss BEFORE the step, a float.

    Raises:
        ValueError: If lr is not positive.
    """
    if not lr > 0:
        raise ValueError(f"lr must be positive, got {lr}")
    # Steps: forward; loss; backward; new parameters.
    # BEGIN SOLUTION backward
    logits, cache = forward(x, params, activation=activation)
    value, d_logits = loss(logits, y)
    grads = backward(params, cache, d_logits, derivative=derivative)
    return {name: p - lr * grads[name] for name, p in params.items()}, value
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 6: optimizers
# ---------------------------------------------------------------------------------------------------
#
# Each takes the parameters, their gradients and its own memory (None before the first step), and returns
# new parameters and new memory. Weight decay is decoupled, the same in all three: besides the optimizer's
# own step, computed from the gradients alone, every W (and no B) moves by -lr * weight_decay * W, with W as
# it came in.


def check_rates(lr: float, weight_decay: float) -> None:
    """Raise ValueError unless lr > 0 and weight_decay >= 0."""
    if not lr > 0:
        raise ValueError(f"lr must be positive, got {lr}")
    if not weight_decay >= 0:
        raise ValueError(f"weight_decay must not be negative, got {weight_decay}")


def sgd_step(
    params: Params, grads: Params, state: None = None, *, lr: float, weight_decay: float = 0.0
) -> tuple[Params, None]:
    """One step against the gradient: p <- p - lr g. (Given.)

    Args:
        params, grads: The same names and shapes. Names that start with "W" are decayed, others are not.
        state: None; plain gradient descent remembers nothing.
        lr: Learning rate, > 0.
        weight_decay: >= 0.

    Returns:
        (new params, None).

    Raises:
        ValueError: If lr is not positive or weight_decay is negative.
    """
    check_rates(lr, weight_decay)
    after = {}
    for name, p in params.items():
        after[name] = p - lr * grads[name]
        if name.startswith("W"):
            after[name] = after[name] - lr * weight_decay * p
    return after, None


def momentum_step(
    params: Params,
    grads: Params,
    state: Params | None = None,
    *,
    lr: float,
    beta: float = 0.9,
    weight_decay: float = 0.0,
) -> tuple[Params, Params]:
    """One step along a velocity that forgets slowly: v <- beta v + g, p <- p - lr v.

    The gradient enters the velocity with weight 1, so a constant gradient ends up multiplied by 1/(1 - beta).

    Args:
        params, grads: The same names and shapes.
        state: The velocity returned by the step before, name by name; None, meaning zeros, at the first.
        lr: Learning rate, > 0.
        beta: What remains of the velocity, in [0, 1).
        weight_decay: >= 0.

    Returns:
        (new params, new velocity).

    Raises:
        ValueError: As for `sgd_step`.
    """
    check_rates(lr, weight_decay)
    # Steps: the new velocity of each name; the move, as in `sgd_step`.
    # BEGIN SOLUTION optimizers
    old = state if state is not None else _zeros(params)
    velocity = {name: beta * old[name] + grads[name] for name in params}
    return _move(params, velocity, lr, weight_decay), velocity
    # END SOLUTION


def adam_step(
    params: Params,
    grads: Params,
    state: dict | None = None,
    *,
    lr: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> tuple[Params, dict]:
    """One step whose size in each coordinate is set by that coordinate's own gradients.

    m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g^2, from zeros; p <- p - lr m^ / (sqrt(v^) + eps),
    where m^ and v^ are m and v without their bias to zero: each divided by the total weight that the gradients so far
    have in it. So for a gradient that never changes, m^ = g and v^ = g^2 at every step.

    Args:
        params, grads: The same names and shapes.
        state: {"t": steps taken, "m": dict, "v": dict} from the step before, m and v before the correction;
            None, meaning t = 0 and zeros, at the first.
        lr: Learning rate, > 0.
        beta1, beta2: In [0, 1).
        eps: Outside the root, > 0.
        weight_decay: >= 0.

    Returns:
        (new params, new state).

    Raises:
        ValueError: As for `sgd_step`.

    Source:
        Kingma and Ba 2015, algorithm 1; decoupled decay: Loshchilov and Hutter 2019.
    """
    check_rates(lr, weight_decay)
    # Steps: the averages; their corrected values; the move, as in `sgd_step`.
    # BEGIN SOLUTION optimizers
    old = state if state is not None else {"t": 0, "m": _zeros(params), "v": _zeros(params)}
    t = old["t"] + 1
    m = {name: beta1 * old["m"][name] + (1 - beta1) * grads[name] for name in params}
    v = {name: beta2 * old["v"][name] + (1 - beta2) * grads[name] ** 2 for name in params}
    direction = {
        name: (m[name] / (1 - beta1**t)) / (np.sqrt(v[name] / (1 - beta2**t)) + eps) for name in params
    }
    return _move(params, direction, lr, weight_decay), {"t": t, "m": m, "v": v}
    # END SOLUTION


# BEGIN SOLUTION optimizers
def _zeros(params: Params) -> Params:
    """The memory of an optimizer that has seen nothing."""
    return {name: np.zeros_like(p) for name, p in params.items()}


def _move(params: Params, direction: Params, lr: float, weight_decay: float) -> Params:
    """The parameters after a step of lr against `direction`, with decay on the weights."""
    moved = {}
    for name, p in params.items():
        decay = weight_decay if name.startswith("W") else 0.0
        moved[name] = p - lr * (direction[name] + decay * p)
    return moved


# END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 7: the training loop
# ---------------------------------------------------------------------------------------------------


def fit(
    params: Params,
    x: np.ndarray,
    y: np.ndarray,
    *,
    loss_and_grads: Callable[[Params, np.ndarray, np.ndarray], tuple[float, Params]],
    step: Callable[[Params, Params, object], tuple[Params, object]],
    validate: Callable[[Params], float],
    shuffle: Callable[[int], np.ndarray],
    batch_size: int,
    max_epochs: int,
    patience: int,
) -> tuple[Params, dict[str, list[float]]]:
    """Train in mini-batches until the validation loss stops improving, and return the best parameters seen.

    An epoch: order = shuffle(n), n = len(x), then for each run of `batch_size` indices of that order (the
    last run may be shorter): loss_and_grads on those examples, then step. After the epoch: validate. The
    validation loss improves when it is strictly below the lowest so far (at first, below infinity; a NaN is
    below nothing). Training stops after `patience` epochs in a row without improvement, or after `max_epochs`.

    Args:
        params: Where to start.
        x: Shape (n, f).
        y: n rows, of any further shape; row j belongs to x[j].
        loss_and_grads: (params, x_batch, y_batch) -> (mean loss over the batch, gradients).
        step: (params, grads, state) -> (new params, new state), which leaves the old params as they were; state
            is None at the very first step and is handed on from batch to batch and from epoch to epoch.
        validate: params -> validation loss. Called once at the end of each epoch.
        shuffle: n -> the order of the examples, a permutation of 0 .. n-1. Called once at the start of each
            epoch.
        batch_size, max_epochs, patience: >= 1.

    Returns:
        best: The parameters at the end of the epoch with the lowest validation loss, the earliest of equals;
            the starting parameters where no epoch improved (every validation loss NaN or infinite).
        history: {"train": [...], "val": [...]}, a float per epoch run. The training loss of an epoch is the
            mean over its n EXAMPLES of the losses met on the way.

    Raises:
        ValueError: If x and y differ in length, n is 0, or a count is below 1.
    """
    if len(x) != len(y) or len(x) == 0:
        raise ValueError(f"x and y must have the same number of rows, at least 1, got {len(x)} and {len(y)}")
    for name, count in (("batch_size", batch_size), ("max_epochs", max_epochs), ("patience", patience)):
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")
    # Per epoch: an order; for each batch a step; both losses; the best so far, or patience.
    # BEGIN SOLUTION training
    n, state = len(x), None
    best, best_val, waited = params, math.inf, 0
    history = {"train": [], "val": []}
    for _ in range(max_epochs):
        order = shuffle(n)
        total = 0.0
        for start in range(0, n, batch_size):
            batch = order[start : start + batch_size]
            loss, grads = loss_and_grads(params, x[batch], y[batch])
            params, state = step(params, grads, state)
            total += loss * len(batch)
        val = validate(params)
        history["train"].append(float(total / n))
        history["val"].append(float(val))
        if val < best_val:
            best, best_val, waited = params, val, 0
        else:
            waited += 1
            if waited == patience:
                break
    return best, history
    # END SOLUTION


# ---------------------------------------------------------------------------------------------------
# Task 8: automatic differentiation
# ---------------------------------------------------------------------------------------------------


class Value:
    """A number that remembers how it was computed, so that its derivatives can be read off afterwards.

    An expression of Values is a directed acyclic graph: each node points to the nodes it was made from, and
    each such edge carries a local derivative, d(node)/d(parent), known when the node is made.

    Attributes:
        data: The number, a float.
        grad: After `out.backward()`: d(out)/d(this node). 0.0 before.
        parents: The nodes this one was made from; () for a leaf. A node may stand in it twice, as in v * v.
        local: d(this node)/d(parent), one float for each parent.

    >>> x = Value(3.0)
    >>> y = x * x + 2 * x
    >>> y.backward()
    >>> y.data, x.grad
    (15.0, 8.0)
    """

    def __init__(self, data: float, parents: tuple[Value, ...] = (), local: tuple[float, ...] = ()):
        if isinstance(data, bool) or not isinstance(data, numbers.Real):
            raise ValueError(f"data must be a real number, got {data!r}")
        self.data = float(data)
        self.grad = 0.0
        self.parents = parents
        self.local = local

    def __repr__(self) -> str:
        return f"Value(data={self.data:.6g}, grad={self.grad:.6g})"

    def __add__(self, other: Value | float) -> Value:
        """self + other; `other` may be a number."""
        other = other if isinstance(other, Value) else Value(other)
        # A new node: its number, its two parents, its slope in each.
        # BEGIN SOLUTION value
        return Value(self.data + other.data, (self, other), (1.0, 1.0))
        # END SOLUTION

    def __mul__(self, other: Value | float) -> Value:
        """self * other; `other` may be a number."""
        other = other if isinstance(other, Value) else Value(other)
        # Likewise.
        # BEGIN SOLUTION value
        return Value(self.data * other.data, (self, other), (other.data, self.data))
        # END SOLUTION

    def apply(self, f: Callable[[float], float], df: Callable[[float], float]) -> Value:
        """f(self), for a function f of one number whose derivative is the function df.

        Each of f and df is called once.
        """
        # BEGIN SOLUTION value
        return Value(f(self.data), (self,), (df(self.data),))
        # END SOLUTION

    def backward(self) -> None:
        """Set `grad` to d(self)/d(node) in this node and every node it was computed from.

        Gradients left by an earlier call are discarded first, so calling it twice changes nothing. A graph
        may be thousands of nodes deep, deeper than Python's recursion limit.
        """
        # Steps: an order in which every node's gradient is complete when its turn comes; gradients from 0, self's from 1; each
        # node in turn hands on its share to its parents.
        # BEGIN SOLUTION value
        order, entered, stack = [], set(), [(self, False)]
        while stack:
            node, parents_done = stack.pop()
            if parents_done:
                order.append(node)
            elif node not in entered:
                entered.add(node)
                stack.append((node, True))
                stack.extend((parent, False) for parent in node.parents)
        for node in order:
            node.grad = 0.0
        self.grad = 1.0
        for node in reversed(order):
            for parent, local in zip(node.parents, node.local, strict=True):
                parent.grad += local * node.grad
        # END SOLUTION

    # Given: everything else is made of the three operations above.

    def __pow__(self, exponent: float) -> Value:
        """self to the power of a plain number."""
        if isinstance(exponent, Value):
            raise ValueError("exponent must be a plain number, got a Value")
        return self.apply(lambda v: v**exponent, lambda v: exponent * v ** (exponent - 1))

    def exp(self) -> Value:
        return self.apply(math.exp, math.exp)

    def log(self) -> Value:
        return self.apply(math.log, lambda v: 1 / v)

    def tanh(self) -> Value:
        return self.apply(math.tanh, lambda v: 1 - math.tanh(v) ** 2)

    def relu(self) -> Value:
        return self.apply(lambda v: max(v, 0.0), lambda v: float(v > 0))

    def __neg__(self) -> Value:
        return self * -1

    def __sub__(self, other: Value | float) -> Value:
        return self + (-other)

    def __truediv__(self, other: Value | float) -> Value:
        return self * other**-1

    def __radd__(self, other: float) -> Value:
        return self + other

    def __rmul__(self, other: float) -> Value:
        return self * other

    def __rsub__(self, other: float) -> Value:
        return (-self) + other

    def __rtruediv__(self, other: float) -> Value:
        return self**-1 * other
