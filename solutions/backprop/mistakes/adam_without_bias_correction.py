"""Uses m and v as they are, though they start from zeros."""

TASK = "optimizers"
HINT = """Your moments are right and the steps are not, the first ones worst; after very many steps they would
agree. The averages start at 0, so what fraction of the first gradient is in m after one step, and what
fraction of its square in v?"""


def adam_step(params, grads, state=None, *, lr, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.0):
    old = state if state is not None else {"t": 0, "m": _zeros(params), "v": _zeros(params)}
    m = {name: beta1 * old["m"][name] + (1 - beta1) * grads[name] for name in params}
    v = {name: beta2 * old["v"][name] + (1 - beta2) * grads[name] ** 2 for name in params}
    direction = {name: m[name] / (np.sqrt(v[name]) + eps) for name in params}
    return _move(params, direction, lr, weight_decay), {"t": old["t"] + 1, "m": m, "v": v}
