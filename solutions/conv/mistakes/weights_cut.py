"""Takes the weights out of autograd on the way."""

TASK = "device"
HINT = """The values are right, and so is the gradient in x; the one in w is missing. `detach`, `.data`,
`torch.tensor` and NumPy end the tape: through which of them does w go?"""


def conv2d_torch(x, w, b=None, *, right=conv2d_torch, **settings):
    return right(x, w.detach(), b, **settings)
