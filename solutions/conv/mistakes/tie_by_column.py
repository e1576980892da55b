"""Looks for the first maximum column by column."""

TASK = "pooling"
HINT = """Where a window has one maximum all is right. Among equals you take the leftmost. First by row,
then by column: which of (0, 1) and (1, 0) comes first?"""


def max_pool2d_backward(dout, x, kernel, *, stride=None, padding=0):
    check_pool(x, kernel, padding)
    check_dout(dout, *x.shape[:2])
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    h_out, w_out = dout.shape[2:]
    padded = _padded(x, padding, -np.inf)
    windows = _windows(padded, kernel, (h_out, w_out), stride)
    dpadded = np.zeros_like(padded)
    order = [u * kernel[1] + v for v in range(kernel[1]) for u in range(kernel[0])]
    first = np.array(order)[windows[order].argmax(axis=0)]
    for tap, place in enumerate(np.ndindex(kernel)):
        seen = _tap(dpadded, place, (h_out, w_out), stride)
        seen += dout * (first == tap)
    return _unpadded(dpadded, x.shape, padding)
