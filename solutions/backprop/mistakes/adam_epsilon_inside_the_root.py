"""Adds eps under the square root, where it counts as its own square root."""

TASK = "optimizers"
HINT = """Ordinary gradients are right to a few digits; for tiny ones your steps are far too short. With
gradients of 1e-7, compare eps = 1e-8 beside sqrt(v) with eps beside v: which of the two is small there?"""


def adam_step(params, grads, state=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    old = state if state is not None else {"t": 0, "m": _zeros(params), "v": _zeros(params)}
    t = old["t"] + 1
    m = {name: beta1 * old["m"][name] + (1 - beta1) * grads[name] for name in params}
    v = {name: beta2 * old["v"][name] + (1 - beta2) * grads[name] ** 2 for name in params}
    corrected = {name: (m[name] / (1 - beta1**t), v[name] / (1 - beta2**t)) for name in params}
    direction = {name: mean / np.sqrt(square + eps) for name, (mean, square) in corrected.items()}
    return _move(params, direction, lr, weight_decay), {"t": t, "m": m, "v": v}
