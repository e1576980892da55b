"""Moves the start left by each layer's padding, counted in that layer's own numbers."""

TASK = "arithmetic"
HINT = """Size and jump are right; the start is wrong when padding comes behind a stride. One number of
padding in a layer: how many pixels of the INPUT is that?"""


def receptive_field(layers):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in layers:
        size += dilation * (kernel - 1) * jump
        start -= padding
        jump *= stride
    return size, jump, start
