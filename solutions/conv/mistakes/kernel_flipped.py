"""Turns the kernel by 180 degrees, as convolution does in mathematics."""

TASK = "conv2d"
HINT = """Your output is what a kernel turned upside down and left to right would give; kernels that look
the same when turned come out right. Lay the edge kernel on the top of the "0": is its first row above its
last?"""


def conv2d(x, w, b=None, *, right=conv2d, **settings):
    return right(x, w[:, :, ::-1, ::-1], b, **settings)
