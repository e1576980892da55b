"""Computes in float32 and leaves the result there."""

TASK = "device"
HINT = """float32 is right. Other precisions come back as float32. You may add up in what you like: in
which dtype must the answer be?"""


def conv2d_torch(x, w, b=None, *, right=conv2d_torch, **settings):
    b = None if b is None else b.float()
    return right(x.float(), w.float(), b, **settings)
