"""Turns the kernel by 180 degrees in the torch version."""

TASK = "device"
HINT = """The output is what a turned kernel would give. Is the order of the taps in your columns the order
of the weights in a flattened filter?"""


def conv2d_torch(x, w, b=None, *, right=conv2d_torch, **settings):
    return right(x, w.flip(2, 3), b, **settings)
