"""Averages over the input channels instead of adding them up."""

TASK = "conv2d"
HINT = """One channel is right; with several, what the weights contribute is too small, by the number of
channels. The formula has one sum over c, u and v: does anything divide it?"""


def conv2d(x, w, b=None, *, right=conv2d, **settings):
    return right(x, w / w.dtype.type(w.shape[1]), b, **settings)
