"""Gives every pixel of a window the whole gradient."""

TASK = "pooling"
HINT = """Every pixel's gradient is too large by the same factor. If one of four pixels rises by 1, by how
much does their mean rise?"""


def avg_pool2d_backward(dout, x, kernel, *, right=avg_pool2d_backward, stride=None, padding=0):
    return right(dout, x, kernel, stride=stride, padding=padding) * dout.dtype.type(np.prod(pair(kernel)))
