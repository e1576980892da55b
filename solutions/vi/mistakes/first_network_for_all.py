"""Uses the first row of theta for every sample."""

TASK = "network"
HINT = """For one network your outputs are right. For several, all of them answer like the
first. Where do your weights lose their leading axes?"""


def mlp(theta, X, sizes):
    _check_sizes(sizes)
    a, start = X, 0
    theta, every = theta[(0,) * (theta.ndim - 1)], theta
    for n_in, n_out in zip(sizes, sizes[1:]):
        W = theta[..., start : start + n_in * n_out].unflatten(-1, (n_out, n_in))
        start += n_in * n_out
        b = theta[..., start : start + n_out]
        start += n_out
        z = a @ W.mT + b[..., None, :]
        a = z.tanh()
    return z.expand(*every.shape[:-1], *z.shape[-2:])
