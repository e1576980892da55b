"""Counts a dilated kernel as if its taps were neighbours."""

TASK = "arithmetic"
HINT = """Stacks without dilation are right, with dilation the field is too small. How far from the first
tap is the last one when taps are three apart?"""


def receptive_field(layers):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in layers:
        size += (kernel - 1) * jump
        start -= padding * jump
        jump *= stride
    return size, jump, start
