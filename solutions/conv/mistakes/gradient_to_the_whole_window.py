"""Gives the gradient of a maximum to all pixels of its window."""

TASK = "pooling"
HINT = """The gradient reaches every pixel of a window. If a pixel that is not the largest rises a little,
does the maximum change?"""


def max_pool2d_backward(dout, x, kernel, *, stride=None, padding=0):
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    h_out, w_out = dout.shape[2:]
    padded = _padded(x, padding, -np.inf)
    windows = _windows(padded, kernel, (h_out, w_out), stride)
    dpadded = np.zeros_like(padded)
    for tap, place in enumerate(np.ndindex(kernel)):
        seen = _tap(dpadded, place, (h_out, w_out), stride)
        seen += dout
    return _unpadded(dpadded, x.shape, padding)
