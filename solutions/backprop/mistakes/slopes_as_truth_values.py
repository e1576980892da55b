"""Returns the comparison itself, an array of bools."""

TASK = "activations"
HINT = """Your ReLU slope marks the right entries, but its entries are truth values and not numbers. What
happens to code that later subtracts or negates a slope, and which dtype does the docstring ask for?"""


def relu_derivative(z):
    return z > 0
