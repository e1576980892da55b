"""Takes e^rho for the scale."""

TASK = "reparameterise"
HINT = """Your scales are positive, and far below zero they are right; above, they grow much too
fast. Many papers use that scale. Which one does this assignment use, and how does it grow for
large rho?"""


def softplus(rho):
    return torch.exp(rho)
