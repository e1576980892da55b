"""Drops before the activation function."""

TASK = "dropout"
HINT = """The right units are silent. The others are enlarged before tanh instead of after it,
so that the mean of an activation is no longer kept. Which number does the next layer add up?"""


def mc_dropout(layers, X, u, *, p, drop=dropout):
    _check_dropped(p)
    a = X
    for (W, b), uniforms in zip(layers, u):
        a = drop(a @ W.T + b, uniforms[:, None, :], p=p).tanh()
    W, b = layers[-1]
    return a @ W.T + b
