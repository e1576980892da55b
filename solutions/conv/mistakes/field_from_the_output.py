"""Goes through the layers from the last to the first."""

TASK = "arithmetic"
HINT = """Single layers and stacks of equal ones are right. A pool in front of a layer makes that layer see
further; what does a pool behind it change?"""


def receptive_field(layers):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in reversed(layers):
        size += dilation * (kernel - 1) * jump
        start -= padding * jump
        jump *= stride
    return size, jump, start
