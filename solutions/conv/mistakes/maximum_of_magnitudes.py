"""Takes the number that is largest in magnitude."""

TASK = "pooling"
HINT = """Windows of positive numbers are right. Among negative ones you find the one furthest from 0.
Which is larger, -1 or -4?"""


def max_pool2d(x, kernel, *, stride=None, padding=0, size=output_size):
    check_pool(x, kernel, padding)
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    h_out, w_out = grid(x.shape[2:], kernel, stride, padding, 1, size)
    windows = _windows(_padded(x, padding), kernel, (h_out, w_out), stride)
    return np.take_along_axis(windows, np.abs(windows).argmax(axis=0)[None], axis=0)[0]
