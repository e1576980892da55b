"""Steps along the averaged gradient, with one learning rate for all coordinates."""

TASK = "optimizers"
HINT = """Your moments are right, but the step is as long as the averaged gradient: on 2x^2 + 100y^2 it would
be fifty times longer in y than in x. Which of the two moments does your step leave unused, and what is it
for?"""


def adam_step(params, grads, state=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    old = state if state is not None else {"t": 0, "m": _zeros(params), "v": _zeros(params)}
    t = old["t"] + 1
    m = {name: beta1 * old["m"][name] + (1 - beta1) * grads[name] for name in params}
    v = {name: beta2 * old["v"][name] + (1 - beta2) * grads[name] ** 2 for name in params}
    direction = {name: m[name] / (1 - beta1**t) for name in params}
    return _move(params, direction, lr, weight_decay), {"t": t, "m": m, "v": v}
