"""Rounds the number of windows up, so that the last one hangs over the end."""

TASK = "arithmetic"
HINT = """Sizes are right where the stride divides what is left beside the first window, and one too large
elsewhere. With 8 pixels, a kernel of 3 and a stride of 2, where does your last window start, and which
pixel does it end on?"""


def output_size(size, kernel, *, stride=1, padding=0, dilation=1):
    check_axis(size, kernel, stride, padding, dilation)
    return -((dilation * (kernel - 1) + 1 - size - 2 * padding) // stride) + 1
