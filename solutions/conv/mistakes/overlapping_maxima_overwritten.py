"""Writes the gradient of a maximum instead of adding it."""

TASK = "pooling"
HINT = """Windows that don't overlap are right. Where they do, a pixel can be the maximum of several, and
gets the gradient of one. What becomes of the others?"""


def max_pool2d_backward(dout, x, kernel, *, stride=None, padding=0):
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    h_out, w_out = dout.shape[2:]
    padded = _padded(x, padding, -np.inf)
    windows = _windows(padded, kernel, (h_out, w_out), stride)
    dpadded = np.zeros_like(padded)
    first = windows.argmax(axis=0)
    for tap, place in enumerate(np.ndindex(kernel)):
        seen = _tap(dpadded, place, (h_out, w_out), stride)
        np.copyto(seen, dout, where=first == tap)
    return _unpadded(dpadded, x.shape, padding)
