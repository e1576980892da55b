"""Counts the steps between windows instead of the windows."""

TASK = "arithmetic"
HINT = """Every size is one too small. A kernel as wide as the image cannot move at all: how many windows
has it?"""


def output_size(size, kernel, *, stride=1, padding=0, dilation=1):
    check_axis(size, kernel, stride, padding, dilation)
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride
