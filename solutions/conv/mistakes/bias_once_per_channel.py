"""Adds the bias anew for each input channel."""

TASK = "conv2d"
HINT = """Without a bias, or with one channel, all is right. With several channels the output is too high
by a multiple of the bias. Where does b stand in the formula: inside the sum over c, or before it?"""


def conv2d(x, w, b=None, *, right=conv2d, **settings):
    return right(x, w, None if b is None else b * b.dtype.type(x.shape[1]), **settings)
