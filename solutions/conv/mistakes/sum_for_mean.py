"""Adds the window up and forgets to divide."""

TASK = "pooling"
HINT = """Every output is too large by the same factor. What is the mean of four pixels that are all 1?"""


def avg_pool2d(x, kernel, *, right=avg_pool2d, **settings):
    return right(x, kernel, **settings) * x.dtype.type(np.prod(pair(kernel)))
