"""Shares the gradient among equal maxima."""

TASK = "pooling"
HINT = """Where a window has one maximum all is right. Where it has several, each gets a share. That is a
fair convention, but which one does the handout name?"""


def max_pool2d_backward(dout, x, kernel, *, stride=None, padding=0):
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    h_out, w_out = dout.shape[2:]
    padded = _padded(x, padding, -np.inf)
    windows = _windows(padded, kernel, (h_out, w_out), stride)
    dpadded = np.zeros_like(padded)
    best = windows == windows.max(axis=0)
    for tap, place in enumerate(np.ndindex(kernel)):
        seen = _tap(dpadded, place, (h_out, w_out), stride)
        seen += dout * best[tap] / best.sum(axis=0)
    return _unpadded(dpadded, x.shape, padding)
