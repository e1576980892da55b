"""Writes the derivatives in terms of a = f(z), but is called with z."""

TASK = "activations"
HINT = """Your slopes would be right if they were handed the activation's values; they are handed z. At z = 0
the sigmoid is steepest: what does your function give there, and which quantity does the letter in your
formula stand for?"""


def sigmoid_derivative(z):
    return z * (1 - z)


def tanh_derivative(z):
    return 1 - z**2
