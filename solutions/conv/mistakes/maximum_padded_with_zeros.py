"""Pads with zeros, which beat negative pixels."""

TASK = "pooling"
HINT = """Without padding all is right, and also where a window holds a positive number. A window of
negative numbers at the rim has the maximum 0. Which of its pixels is 0?"""


def max_pool2d(x, kernel, *, stride=None, padding=0, size=output_size):
    check_pool(x, kernel, padding)
    kernel, stride, padding = pair(kernel), pair(kernel if stride is None else stride), pair(padding)
    h_out, w_out = grid(x.shape[2:], kernel, stride, padding, 1, size)
    return _windows(_padded(x, padding), kernel, (h_out, w_out), stride).max(axis=0)
