"""Adds up strides where they multiply."""

TASK = "arithmetic"
HINT = """The jump is right for one layer with a stride, and wrong for several. Two layers halve the image
one after the other: what part of its pixels is left?"""


def receptive_field(layers):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in layers:
        size += dilation * (kernel - 1) * jump
        start -= padding * jump
        jump += stride - 1
    return size, jump, start
