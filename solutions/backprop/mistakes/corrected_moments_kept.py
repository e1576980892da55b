"""Stores the bias-corrected moments, so that the next step corrects them again."""

TASK = "optimizers"
HINT = """Adam's first step is right, and the state it returns is too large. The correction is meant for one
step's use. What will the next step's average start from, and which of your two versions of m does the
recursion speak of?"""


def adam_step(params, grads, state=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    old = state if state is not None else {"t": 0, "m": _zeros(params), "v": _zeros(params)}
    t = old["t"] + 1
    m = {name: (beta1 * old["m"][name] + (1 - beta1) * grads[name]) / (1 - beta1**t) for name in params}
    v = {name: (beta2 * old["v"][name] + (1 - beta2) * grads[name] ** 2) / (1 - beta2**t) for name in params}
    direction = {name: m[name] / (np.sqrt(v[name]) + eps) for name in params}
    return _move(params, direction, lr, weight_decay), {"t": t, "m": m, "v": v}
