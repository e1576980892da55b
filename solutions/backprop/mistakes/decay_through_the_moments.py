"""Adds the decay to the gradient, so that Adam rescales it like any other gradient."""

TASK = "optimizers"
HINT = """Adam without decay is right. With it, your step and your stored moments differ from the handout's:
the decay has been averaged and divided by sqrt(v) like a gradient. Should a weight with large gradients be
shrunk less than others?"""


def adam_step(params, grads, state=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    decay = {name: weight_decay if name.startswith("W") else 0.0 for name in params}
    grads = {name: g + decay[name] * params[name] for name, g in grads.items()}
    old = state if state is not None else {"t": 0, "m": _zeros(params), "v": _zeros(params)}
    t = old["t"] + 1
    m = {name: beta1 * old["m"][name] + (1 - beta1) * grads[name] for name in params}
    v = {name: beta2 * old["v"][name] + (1 - beta2) * grads[name] ** 2 for name in params}
    corrected = {name: (m[name] / (1 - beta1**t), v[name] / (1 - beta2**t)) for name in params}
    direction = {name: mean / (np.sqrt(square) + eps) for name, (mean, square) in corrected.items()}
    return _move(params, direction, lr, 0.0), {"t": t, "m": m, "v": v}
