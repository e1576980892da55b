"""Stores all weights first, then all biases."""

TASK = "network"
HINT = """With one layer your outputs are right, and with more they are those of a network whose
biases stand at the end of theta, all together. Where does the second layer begin?"""


def mlp(theta, X, sizes):
    _check_sizes(sizes)
    a, start = X, 0
    place = sum(n_in * n_out for n_in, n_out in zip(sizes, sizes[1:]))
    for n_in, n_out in zip(sizes, sizes[1:]):
        W = theta[..., start : start + n_in * n_out].unflatten(-1, (n_out, n_in))
        start += n_in * n_out
        b = theta[..., place : place + n_out]
        place += n_out
        z = a @ W.mT + b[..., None, :]
        a = z.tanh()
    return z
