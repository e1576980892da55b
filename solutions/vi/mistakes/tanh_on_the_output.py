"""Applies tanh in the last layer too."""

TASK = "network"
HINT = """Your outputs lie between -1 and 1. The hidden layers are right. Which values should a
regression be able to predict?"""


def mlp(theta, X, sizes):
    _check_sizes(sizes)
    a, start = X, 0
    for n_in, n_out in zip(sizes, sizes[1:]):
        W = theta[..., start : start + n_in * n_out].unflatten(-1, (n_out, n_in))
        start += n_in * n_out
        b = theta[..., start : start + n_out]
        start += n_out
        z = a @ W.mT + b[..., None, :]
        a = z.tanh()
    return a
