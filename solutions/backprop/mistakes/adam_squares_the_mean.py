"""Averages the square of m in place of the square of the gradient."""

TASK = "optimizers"
HINT = """Adam's m is right and v is not. Suppose a gradient alternates between +1 and -1: its mean is 0. What
should v be for such a coordinate, and what is it when you square after averaging?"""


def adam_step(params, grads, state=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    old = state if state is not None else {"t": 0, "m": _zeros(params), "v": _zeros(params)}
    t = old["t"] + 1
    m = {name: beta1 * old["m"][name] + (1 - beta1) * grads[name] for name in params}
    v = {name: beta2 * old["v"][name] + (1 - beta2) * m[name] ** 2 for name in params}
    corrected = {name: (m[name] / (1 - beta1**t), v[name] / (1 - beta2**t)) for name in params}
    direction = {name: mean / (np.sqrt(square) + eps) for name, (mean, square) in corrected.items()}
    return _move(params, direction, lr, weight_decay), {"t": t, "m": m, "v": v}
