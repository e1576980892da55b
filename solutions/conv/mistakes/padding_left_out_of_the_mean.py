"""Divides by the number of real pixels in a window."""

TASK = "pooling"
HINT = """Without padding all is right. Windows that hang over the rim have too large a mean: you divide by
the pixels that are there. What does the convention say the divisor is?"""


def avg_pool2d(x, kernel, *, stride=None, padding=0, size=output_size):
    check_pool(x, kernel, padding)
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    h_out, w_out = grid(x.shape[2:], kernel, stride, padding, 1, size)
    totals, counts = (
        _windows(_padded(z, padding), kernel, (h_out, w_out), stride).sum(axis=0)
        for z in (x, np.ones_like(x))
    )
    return totals / counts
