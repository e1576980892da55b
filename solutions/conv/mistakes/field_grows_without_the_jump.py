"""Widens the receptive field by kernel - 1 pixels in each layer, whatever strides came before."""

TASK = "arithmetic"
HINT = """Stacks without strides are right. Behind a layer of stride 2, two numbers side by side stand for
places two pixels apart: by how many pixels does a kernel of three taps widen the view there?"""


def receptive_field(layers):
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in layers:
        size += dilation * (kernel - 1)
        start -= padding * jump
        jump *= stride
    return size, jump, start
