"""Runs the network without dropout."""

TASK = "dropout"
HINT = """All passes give the same prediction: that of the network without dropout. It is what
one does with dropout as a regulariser. Where would the uncertainty come from here?"""


def mc_dropout(layers, X, u, *, p, drop=dropout):
    _check_dropped(p)
    a = X
    for W, b in layers[:-1]:
        a = (a @ W.T + b).tanh()
    W, b = layers[-1]
    return (a @ W.T + b).expand(len(u[0]), -1, -1).clone()
