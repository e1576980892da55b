"""Takes the images out of autograd on the way."""

TASK = "device"
HINT = """The values are right; the gradient in x is missing. `detach`, `.data`, `.item()` and NumPy end
the tape: through which of them does x go?"""


def conv2d_torch(x, w, b=None, *, right=conv2d_torch, **settings):
    return right(x.detach(), w, b, **settings)
