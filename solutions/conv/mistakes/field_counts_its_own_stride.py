"""Multiplies the jump by a layer's stride before that layer's kernel is counted."""

TASK = "arithmetic"
HINT = """The jump is right, but a layer with a stride sees too far. A layer's taps read the numbers that
come INTO it: does its own stride move them apart?"""


def receptive_field(layers):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in layers:
        jump *= stride
        size += dilation * (kernel - 1) * jump
        start -= padding * jump
    return size, jump, start
