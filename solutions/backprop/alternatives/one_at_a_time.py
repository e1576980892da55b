"""A second solution in plain loops: an example at a time, a parameter at a time, and closures in the
engine."""

from __future__ import annotations

import math

import numpy as np


def sigmoid(z):
    result = np.empty_like(z)
    large = z >= 0
    result[large] = 1 / (1 + np.exp(-z[large]))
    grown = np.exp(z[~large])
    result[~large] = grown / (1 + grown)
    return result


def sigmoid_derivative(z):
    p = sigmoid(z)
    return p * (1 - p)


def relu(z):
    return z * (z > 0)


def relu_derivative(z):
    slope = np.zeros_like(z)
    slope[z > 0] = 1
    return slope


def tanh(z):
    return 2 * sigmoid(2 * z) - 1


def tanh_derivative(z):
    return 4 * sigmoid_derivative(2 * z)


def depth(params):
    return len(params) // 2


def mlp_forward(x, params, *, activation):
    if x.ndim != 2:
        raise ValueError("x must have two axes")
    for i in range(1, depth(params) + 1):
        w, b = params[f"W{i}"], params[f"B{i}"]
        before = x.shape[1] if i == 1 else len(params[f"W{i - 1}"])
        if w.shape[1:] != (before,) or b.shape != (len(w), 1):
            raise ValueError(f"layer {i} does not fit")
    columns = []  # one cache per example
    for row in x:
        cache = {"A0": row[:, None]}
        for i in range(1, depth(params) + 1):
            cache[f"Z{i}"] = np.dot(params[f"W{i}"], cache[f"A{i - 1}"]) + params[f"B{i}"]
            if i < depth(params):
                cache[f"A{i}"] = activation(cache[f"Z{i}"])
        columns.append(cache)
    whole = {name: np.hstack([cache[name] for cache in columns]) for name in columns[0]}
    return whole[f"Z{depth(params)}"], whole


def binary_cross_entropy(logits, y):
    b = logits.size
    if logits.shape != (1, b) or b == 0 or y.shape != (b, 1) or (y < 0).any() or (y > 1).any():
        raise ValueError("logits and y do not fit")
    loss, d_logits = 0.0, np.zeros_like(logits)
    for j in range(b):
        z, label = float(logits[0, j]), float(y[j, 0])
        if z > 0:
            cost, p = math.log1p(math.exp(-z)) + (1 - label) * z, 1 / (1 + math.exp(-z))
        else:
            cost, p = math.log1p(math.exp(z)) - label * z, 1 - 1 / (1 + math.exp(z))
        loss += cost / b
        d_logits[0, j] = (p - label) / b
    return loss, d_logits


def softmax_cross_entropy(logits, y):
    n_classes, b = logits.shape
    if b == 0 or y.shape != (b,) or y.dtype.kind not in "iu" or any(not 0 <= k < n_classes for k in y):
        raise ValueError("logits and y do not fit")
    loss, d_logits = 0.0, np.zeros_like(logits)
    for j in range(b):
        column = logits[:, j]
        log_norm = np.logaddexp.reduce(column)
        loss += (log_norm - column[y[j]]) / b
        for k in range(n_classes):
            d_logits[k, j] = (np.exp(column[k] - log_norm) - (k == y[j])) / b
    return loss, d_logits


def numerical_gradient(f, x, *, h=1e-5):
    if h <= 0:
        raise ValueError("h must be positive")
    point = np.array(x, dtype=float)
    slopes = []
    for k in range(point.size):
        kept = point.flat[k]
        point.flat[k] = kept + h
        above = f(point)
        point.flat[k] = kept - h
        below = f(point)
        point.flat[k] = kept
        slopes.append((above - below) / h / 2)
    return np.array(slopes).reshape(point.shape)


def wrong_coordinates(f, x, grad, *, h=1e-5, rtol=1e-5, atol=1e-8, numerical=numerical_gradient):
    if np.shape(x) != np.shape(grad):
        raise ValueError("x and grad differ in shape")
    numeric = numerical(f, x, h=h)
    wrong = []
    for index, claimed in np.ndenumerate(grad):
        if not math.isfinite(claimed - numeric[index]) or abs(claimed - numeric[index]) > atol + rtol * abs(numeric[index]):
            wrong.append(index)
    return wrong


def mlp_backward(params, cache, d_logits, *, derivative):
    last = depth(params)
    if d_logits.shape != cache[f"Z{last}"].shape:
        raise ValueError("d_logits does not fit")
    grads = {name: np.zeros_like(p) for name, p in params.items()}
    slopes = {i: derivative(cache[f"Z{i}"]) for i in range(1, last)}
    for j in range(d_logits.shape[1]):
        delta = d_logits[:, j]
        for i in reversed(range(1, last + 1)):
            grads[f"W{i}"] += np.outer(delta, cache[f"A{i - 1}"][:, j])
            grads[f"B{i}"][:, 0] += delta
            if i > 1:
                delta = delta @ params[f"W{i}"] * slopes[i - 1][:, j]
    return grads


def gradient_step(params, x, y, *, lr, loss, activation, derivative, forward=mlp_forward, backward=mlp_backward):
    if lr <= 0:
        raise ValueError("lr must be positive")
    logits, cache = forward(x, params, activation=activation)
    value, d_logits = loss(logits, y)
    new = {}
    for name, gradient in backward(params, cache, d_logits, derivative=derivative).items():
        new[name] = params[name] - lr * gradient
    return new, value


def sgd_step(params, grads, state=None, *, lr, weight_decay=0.0):
    new = {}
    for name, p in params.items():
        new[name] = p - lr * grads[name]
        if name[0] == "W":
            new[name] = new[name] - lr * weight_decay * p
    return new, None


def momentum_step(params, grads, state=None, *, lr, beta=0.9, weight_decay=0.0):
    state = state or {}
    velocity = {name: g + beta * state[name] if name in state else g for name, g in grads.items()}
    return sgd_step(params, velocity, lr=lr, weight_decay=weight_decay)[0], velocity


def adam_step(params, grads, state=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    state = state or {"t": 0, "m": dict.fromkeys(params, 0.0), "v": dict.fromkeys(params, 0.0)}
    t, m, v, direction = state["t"] + 1, {}, {}, {}
    for name, g in grads.items():
        m[name] = state["m"][name] * beta1 + g * (1 - beta1)
        v[name] = state["v"][name] * beta2 + g * g * (1 - beta2)
        # the two corrections taken out of the fraction
        root = math.sqrt(1 - beta2**t)
        direction[name] = m[name] / (np.sqrt(v[name]) + eps * root) * (root / (1 - beta1**t))
    return sgd_step(params, direction, lr=lr, weight_decay=weight_decay)[0], {"t": t, "m": m, "v": v}


def fit(params, x, y, *, loss_and_grads, step, validate, shuffle, batch_size, max_epochs, patience):
    if not len(x) == len(y) > 0 or min(batch_size, max_epochs, patience) < 1:
        raise ValueError("nothing to train on")
    state, kept, best_epoch = None, [params], 0
    history = {"train": [], "val": []}
    while len(history["val"]) < max_epochs and len(history["val"]) - best_epoch < patience:
        waiting, costs = list(shuffle(len(x))), []
        while waiting:
            batch, waiting = waiting[:batch_size], waiting[batch_size:]
            loss, grads = loss_and_grads(params, x[batch], y[batch])
            costs += [loss] * len(batch)
            params, state = step(params, grads, state)
        kept.append(params)
        history["train"].append(sum(costs) / len(costs))
        history["val"].append(validate(params))
        earlier = [math.inf, *history["val"][:-1]]
        if history["val"][-1] < min(val for val in earlier if val == val):
            best_epoch = len(history["val"])
    return kept[best_epoch], history


class Value:
    """Each node keeps a function that hands its gradient on; nodes wait until all their uses have
    reported."""

    def __init__(self, data, inputs=(), hand_on=None):
        if isinstance(data, (bool, str)):
            raise ValueError("data must be a number")
        self.data, self.grad = float(data), 0.0
        self.inputs, self.hand_on = inputs, hand_on

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)

        def hand_on(grad):
            self.grad += grad
            other.grad += grad

        return Value(self.data + other.data, (self, other), hand_on)

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)

        def hand_on(grad):
            self.grad += other.data * grad
            other.grad += self.data * grad

        return Value(self.data * other.data, (self, other), hand_on)

    def apply(self, f, df):
        slope = df(self.data)

        def hand_on(grad):
            self.grad += slope * grad

        return Value(f(self.data), (self,), hand_on)

    def backward(self):
        uses, found = {self: 0}, [self]
        for node in found:
            node.grad = 0.0
            for parent in node.inputs:
                if parent not in uses:
                    uses[parent] = 0
                    found.append(parent)
                uses[parent] += 1
        self.grad, ready = 1.0, [self]
        while ready:
            node = ready.pop()
            if node.hand_on:
                node.hand_on(node.grad)
            for parent in node.inputs:
                uses[parent] -= 1
                if uses[parent] == 0:
                    ready.append(parent)

    def __pow__(self, exponent):
        return self.apply(lambda v: v**exponent, lambda v: exponent * v ** (exponent - 1))

    def exp(self):
        return self.apply(math.exp, math.exp)

    def log(self):
        return self.apply(math.log, lambda v: 1 / v)

    def tanh(self):
        return self.apply(math.tanh, lambda v: 1 - math.tanh(v) ** 2)

    def relu(self):
        return self.apply(lambda v: max(v, 0.0), lambda v: 1.0 if v > 0 else 0.0)

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + other * -1

    def __rsub__(self, other):
        return self * -1 + other

    def __truediv__(self, other):
        return self * other**-1

    def __rtruediv__(self, other):
        return self**-1 * other

    __radd__ = __add__
    __rmul__ = __mul__
