"""Gives the gradient to the last of equal maxima."""

TASK = "pooling"
HINT = """Where a window has one maximum all is right. Among equals the last one takes the gradient. When
you look for the maximum by comparing, does an equal number replace what you have?"""


def max_pool2d_backward(dout, x, kernel, *, stride=None, padding=0):
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    h_out, w_out = dout.shape[2:]
    padded = _padded(x, padding, -np.inf)
    windows = _windows(padded, kernel, (h_out, w_out), stride)
    dpadded = np.zeros_like(padded)
    last = len(windows) - 1 - windows[::-1].argmax(axis=0)
    for tap, place in enumerate(np.ndindex(kernel)):
        seen = _tap(dpadded, place, (h_out, w_out), stride)
        seen += dout * (last == tap)
    return _unpadded(dpadded, x.shape, padding)
