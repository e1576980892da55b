"""A second solution that folds biases into the weights, parameters into one vector, and orders nodes by
age."""

from __future__ import annotations

import heapq
import itertools
import math

import numpy as np


def sigmoid(z):
    return (1 + np.tanh(z / 2)) / 2


def sigmoid_derivative(z):
    return 1 / (4 * np.cosh(np.clip(z, -80, 80) / 2) ** 2)


def relu(z):
    return (z + np.abs(z)) / 2


def relu_derivative(z):
    return np.heaviside(z, z.dtype.type(0))


def tanh(z):
    return np.tanh(z)


def tanh_derivative(z):
    return np.cosh(np.clip(z, -40, 40)) ** -2


def joined(params):
    """[W_i | B_i] for each layer."""
    return [np.hstack([params[f"W{i + 1}"], params[f"B{i + 1}"]]) for i in range(len(params) // 2)]


def with_ones(a):
    return np.vstack([a, np.ones((1, a.shape[1]), a.dtype)])


def mlp_forward(x, params, *, activation):
    if x.ndim != 2:
        raise ValueError("x must have two axes")
    cache, a, width = {"A0": x.T}, x.T, x.shape[1]
    for i in range(1, len(params) // 2 + 1):
        if params[f"W{i}"].shape[1] != width or params[f"B{i}"].shape != (len(params[f"W{i}"]), 1):
            raise ValueError(f"layer {i} does not fit")
        width = len(params[f"W{i}"])
    for i, w in enumerate(joined(params), start=1):
        z = cache[f"Z{i}"] = np.einsum("ij,jb->ib", w, with_ones(a))
        if i < len(params) // 2:
            a = cache[f"A{i}"] = activation(z)
    return z, cache


def softmax_cross_entropy(logits, y):
    if logits.ndim != 2 or logits.shape[1] == 0 or y.shape != logits.shape[1:] or y.dtype.kind != "i":
        raise ValueError("logits and y do not fit")
    if not set(y.tolist()) <= set(range(len(logits))):
        raise ValueError("y holds a class that is not there")
    target = np.eye(len(logits), dtype=logits.dtype)[:, y]  # (K, b)
    logp = logits - np.logaddexp.reduce(logits, axis=0)
    return -np.einsum("kb,kb->b", target, logp).mean(), (np.exp(logp) - target) / len(y)


def binary_cross_entropy(logits, y):
    shaped = logits.ndim == 2 and len(logits) == 1 and logits.size > 0 and y.shape == logits.T.shape
    if not shaped or not ((y >= 0) & (y <= 1)).all():
        raise ValueError("logits and y do not fit")
    # a softmax over two classes, one of which has logit 0
    both = np.vstack([np.zeros_like(logits), logits])
    logp = both - np.logaddexp.reduce(both, axis=0)
    target = np.vstack([1 - y.T, y.T])
    return -(target * logp).sum(axis=0).mean(), ((np.exp(logp) - target) / len(y))[1:]


def numerical_gradient(f, x, *, h=1e-5):
    if not h > 0:
        raise ValueError("h must be positive")
    x = np.asarray(x, float)
    moves = h * np.eye(x.size).reshape(x.size, *x.shape)
    return np.array([f(x + move) - f(x - move) for move in moves]).reshape(x.shape) / (2 * h)


def wrong_coordinates(f, x, grad, *, h=1e-5, rtol=1e-5, atol=1e-8, numerical=numerical_gradient):
    if np.shape(x) != np.shape(grad):
        raise ValueError("x and grad differ in shape")
    numeric = numerical(f, x, h=h)
    right = np.isclose(grad, numeric, rtol=rtol, atol=atol) & np.isfinite(numeric)
    return list(zip(*(axis.tolist() for axis in np.nonzero(~right)), strict=True))


def mlp_backward(params, cache, d_logits, *, derivative):
    weights = joined(params)
    if d_logits.shape != cache[f"Z{len(weights)}"].shape:
        raise ValueError("d_logits does not fit")
    grads, delta = {}, d_logits
    for i in range(len(weights), 0, -1):
        both = np.einsum("ib,jb->ij", delta, with_ones(cache[f"A{i - 1}"]))
        grads[f"W{i}"], grads[f"B{i}"] = both[:, :-1], both[:, -1:]
        if i > 1:
            delta = np.einsum("ij,ib->jb", params[f"W{i}"], delta) * derivative(cache[f"Z{i - 1}"])
    return grads


def gradient_step(params, x, y, *, lr, loss, activation, derivative, forward=mlp_forward, backward=mlp_backward):
    logits, cache = forward(x, params, activation=activation)
    value, d_logits = loss(logits, y)
    return sgd_step(params, backward(params, cache, d_logits, derivative=derivative), lr=lr)[0], value


def flat(params):
    return np.concatenate([p.ravel() for p in params.values()])


def unflat(vector, like):
    ends = np.cumsum([p.size for p in like.values()])
    parts = np.split(vector, ends[:-1])
    return {name: part.reshape(p.shape) for (name, p), part in zip(like.items(), parts, strict=True)}


def sorted_like(grads, params):
    return {name: grads[name] for name in params}


def moved(params, direction, lr, weight_decay):
    if lr <= 0 or weight_decay < 0:
        raise ValueError("lr must be positive and weight_decay not negative")
    decay = flat({name: np.full_like(p, weight_decay * name.startswith("W")) for name, p in params.items()})
    return unflat(flat(params) * (1 - lr * decay) - lr * direction, params)


def sgd_step(params, grads, state=None, *, lr, weight_decay=0.0):
    return moved(params, flat(sorted_like(grads, params)), lr, weight_decay), None


def momentum_step(params, grads, state=None, *, lr, beta=0.9, weight_decay=0.0):
    v = flat(sorted_like(grads, params))
    if state is not None:
        v = v + beta * flat(sorted_like(state, params))
    return moved(params, v, lr, weight_decay), unflat(v, params)


def adam_step(params, grads, state=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    g = flat(sorted_like(grads, params))
    t = 1 if state is None else state["t"] + 1
    m, v = (np.zeros_like(g), np.zeros_like(g)) if state is None else (flat(state["m"]), flat(state["v"]))
    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * (g * g - v)
    direction = m / (1 - beta1**t) / ((v / (1 - beta2**t)) ** 0.5 + eps)
    memory = {"t": t, "m": unflat(m, params), "v": unflat(v, params)}
    return moved(params, direction, lr, weight_decay), memory


def fit(params, x, y, *, loss_and_grads, step, validate, shuffle, batch_size, max_epochs, patience):
    n = len(x)
    if n != len(y) or n == 0 or batch_size < 1 or max_epochs < 1 or patience < 1:
        raise ValueError("nothing to train on")
    state, candidates = None, [(math.inf, 0, params)]  # the least of these is the answer
    train, val = [], []
    for epoch in range(1, max_epochs + 1):
        order = np.asarray(shuffle(n))
        shares = []
        for batch in np.split(order, range(batch_size, n, batch_size)):
            loss, grads = loss_and_grads(params, x[batch], y[batch])
            params, state = step(params, grads, state)
            shares.append(loss * len(batch) / n)
        train.append(sum(shares))
        val.append(validate(params))
        if not math.isnan(val[-1]):
            candidates.append((val[-1], epoch, params))
        best = min(candidates, key=lambda candidate: candidate[:2])
        if epoch - best[1] >= patience:
            break
    return best[2], {"train": train, "val": val}


_age = itertools.count()


class Value:
    """Nodes carry a number that grows with their making: the youngest first is an order for the way back."""

    def __init__(self, data, edges=()):
        if not isinstance(data, (int, float, np.number)) or isinstance(data, bool):
            raise ValueError("data must be a number")
        self.data, self.grad, self.edges, self.age = float(data), 0.0, edges, next(_age)

    def __lt__(self, other):
        return self.age > other.age

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, [(self, other.data), (other, self.data)])

    def apply(self, f, df):
        return Value(f(self.data), [(self, df(self.data))])

    def backward(self):
        collected, queue = {self: 1.0}, [self]
        while queue:
            node = heapq.heappop(queue)
            node.grad = collected[node]
            for parent, slope in node.edges:
                if parent not in collected:
                    collected[parent] = 0.0
                    heapq.heappush(queue, parent)
                collected[parent] += slope * node.grad

    def __pow__(self, exponent):
        return self.apply(lambda v: v**exponent, lambda v: exponent * v ** (exponent - 1))

    def exp(self):
        return self.apply(math.exp, math.exp)

    def log(self):
        return self.apply(math.log, lambda v: 1 / v)

    def tanh(self):
        return self.apply(math.tanh, lambda v: math.cosh(v) ** -2)

    def relu(self):
        return self.apply(lambda v: max(v, 0.0), lambda v: float(v > 0))

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-other)

    def __truediv__(self, other):
        return self * other**-1

    def __radd__(self, other):
        return self + other

    def __rmul__(self, other):
        return self * other

    def __rsub__(self, other):
        return (-self) + other

    def __rtruediv__(self, other):
        return self**-1 * other
