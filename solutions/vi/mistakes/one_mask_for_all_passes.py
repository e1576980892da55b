"""Uses the first pass's mask in every pass."""

TASK = "dropout"
HINT = """Your first pass is right, and all others repeat it. What is it that differs from pass
to pass?"""


def mc_dropout(layers, X, u, *, p, drop=dropout):
    _check_dropped(p)
    a = X
    for (W, b), uniforms in zip(layers, u):
        a = drop((a @ W.T + b).tanh(), uniforms[:1, None, :], p=p)
    W, b = layers[-1]
    return (a @ W.T + b).expand(len(u[0]), -1, -1).clone()
