"""Gives the gradient of a window to every pixel that equals its maximum."""

TASK = "pooling"
HINT = """Where a window has one maximum all is right. Where it has several, each of them gets the whole
gradient, and the sum grows. If the first of two equal pixels rises a little, who is the maximum?"""


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
        seen += dout * (windows[tap] == windows.max(axis=0))
    return _unpadded(dpadded, x.shape, padding)
