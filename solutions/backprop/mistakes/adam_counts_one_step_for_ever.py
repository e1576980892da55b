"""Never advances t, so that every step is corrected like the first."""

TASK = "optimizers"
HINT = """Adam's first step is right, and the later ones have a wrong length. The correction undoes the zeros
the averages started from: how much of them is left at the fifth step, and which t does yours use there?"""


def adam_step(params, grads, state=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    old = state if state is not None else {"t": 0, "m": _zeros(params), "v": _zeros(params)}
    m = {name: beta1 * old["m"][name] + (1 - beta1) * grads[name] for name in params}
    v = {name: beta2 * old["v"][name] + (1 - beta2) * grads[name] ** 2 for name in params}
    direction = {name: (m[name] / (1 - beta1)) / (np.sqrt(v[name] / (1 - beta2)) + eps) for name in params}
    return _move(params, direction, lr, weight_decay), {"t": 1, "m": m, "v": v}
