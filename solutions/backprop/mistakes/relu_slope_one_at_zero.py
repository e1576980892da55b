"""Takes the slope of ReLU at its kink from the right."""

TASK = "activations"
HINT = """Your ReLU slope is right on both sides of 0 and differs from the handout's at exactly z = 0. At the
kink any number from 0 to 1 is a subgradient: which one does the handout choose, and what does your comparison
say when z equals 0?"""


def relu_derivative(z):
    return (z >= 0).astype(z.dtype)
