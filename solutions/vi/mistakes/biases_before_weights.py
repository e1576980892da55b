"""Takes the first numbers of a layer for its biases."""

TASK = "network"
HINT = """Your outputs have the right shape and are those of a network whose biases come first.
In which order does theta hold the parts of a layer?"""


def mlp(theta, X, sizes):
    _check_sizes(sizes)
    a, start = X, 0
    for n_in, n_out in zip(sizes, sizes[1:]):
        b = theta[..., start : start + n_out]
        start += n_out
        W = theta[..., start : start + n_in * n_out].unflatten(-1, (n_out, n_in))
        start += n_in * n_out
        z = a @ W.mT + b[..., None, :]
        a = z.tanh()
    return z
