"""Shares a window's gradient among its real pixels only."""

TASK = "pooling"
HINT = """Without padding all is right. Where a window hangs over the rim, its real pixels get too much.
Padding counts in the mean: what is the slope of that mean in one real pixel?"""


def avg_pool2d_backward(dout, x, kernel, *, right=avg_pool2d_backward, stride=None, padding=0):
    k, s, p = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    counts = _windows(_padded(np.ones_like(x), p), k, dout.shape[2:], s).sum(axis=0)
    share = dout * dout.dtype.type(np.prod(k)) / counts
    return right(share, x, kernel, stride=stride, padding=padding)
