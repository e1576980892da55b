"""Uses the stride between taps and the dilation between windows."""

TASK = "arithmetic"
HINT = """Sizes are right where stride and dilation are equal. Which of the two is the distance between the
taps of one window, and which the distance between windows?"""


def output_size(size, kernel, *, stride=1, padding=0, dilation=1):
    check_axis(size, kernel, stride, padding, dilation)
    return (size + 2 * padding - stride * (kernel - 1) - 1) // dilation + 1
