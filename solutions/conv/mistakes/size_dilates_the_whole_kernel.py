"""Takes dilation * kernel as the span of a window."""

TASK = "arithmetic"
HINT = """Sizes are right for a dilation of 1 and too small for more. Put three taps two pixels apart on
squared paper: how many squares lie from the first to the last, both included?"""


def output_size(size, kernel, *, stride=1, padding=0, dilation=1):
    check_axis(size, kernel, stride, padding, dilation)
    return (size + 2 * padding - dilation * kernel) // stride + 1
