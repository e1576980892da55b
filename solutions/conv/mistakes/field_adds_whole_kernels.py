"""Widens the field by a whole kernel per layer."""

TASK = "arithmetic"
HINT = """Fields are too wide, by one jump for every layer. A layer of a single tap sees what it gets and
nothing beside it: by how much should it widen the field?"""


def receptive_field(layers):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in layers:
        size += (dilation * (kernel - 1) + 1) * jump
        start -= padding * jump
        jump *= stride
    return size, jump, start
