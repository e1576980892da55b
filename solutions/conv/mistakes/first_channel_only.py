"""Looks at the first input channel only."""

TASK = "conv2d"
HINT = """Images of one channel are right, images of several are not: changing the last channel changes
nothing. A filter has C_in planes of weights: what becomes of the other planes?"""


def conv2d(x, w, b=None, *, right=conv2d, **settings):
    rest = w.copy()
    rest[:, 1:] = 0
    return right(x, rest, b, **settings)
