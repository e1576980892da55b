"""Reads W column by column."""

TASK = "network"
HINT = """Your outputs have the right shape. The numbers of W are in other places: as if it were
stored (n_in, n_out). Of which unit are the first n_in numbers of a layer the weights?"""


def mlp(theta, X, sizes):
    _check_sizes(sizes)
    a, start = X, 0
    for n_in, n_out in zip(sizes, sizes[1:]):
        W = theta[..., start : start + n_in * n_out].unflatten(-1, (n_in, n_out)).mT
        start += n_in * n_out
        b = theta[..., start : start + n_out]
        start += n_out
        z = a @ W.mT + b[..., None, :]
        a = z.tanh()
    return z
