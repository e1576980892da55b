"""Exponentiates z itself; infinity over infinity once z is large and positive."""

TASK = "activations"
HINT = """Your sigmoid is right for moderate z and for very negative z, and NaN once z is large and positive.
How large is each exponential in your formula at z = 1000, and what is the quotient of two such numbers to a
computer?"""


def sigmoid(z):
    return np.exp(z) / (1 + np.exp(z))
