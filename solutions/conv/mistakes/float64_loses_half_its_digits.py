"""Computes everything in float32 and converts back."""

TASK = "device"
HINT = """float32 and bfloat16 are right. float64 agrees to seven digits only. AT LEAST float32's
precision: what is that for inputs that have more?"""


def conv2d_torch(x, w, b=None, *, right=conv2d_torch, **settings):
    out = right(x.float(), w.float(), None if b is None else b.float(), **settings)
    return out.to(x.dtype)
