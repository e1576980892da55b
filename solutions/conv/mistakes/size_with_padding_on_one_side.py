"""Adds the padding once instead of on both sides."""

TASK = "arithmetic"
HINT = """Sizes without padding are right; with padding they are too small. Draw 5 pixels with a padding of
1: how long is the row that the kernel slides over?"""


def output_size(size, kernel, *, stride=1, padding=0, dilation=1):
    check_axis(size, kernel, stride, padding, dilation)
    return (size + padding - dilation * (kernel - 1) - 1) // stride + 1
