"""Takes the kernel as the span of a window, whatever the dilation."""

TASK = "arithmetic"
HINT = """Sizes are right for a dilation of 1 and too large for more. The taps of a dilated kernel stand
apart: how many pixels must there be for one window to fit?"""


def output_size(size, kernel, *, stride=1, padding=0, dilation=1):
    check_axis(size, kernel, stride, padding, dilation)
    return (size + 2 * padding - kernel) // stride + 1
