"""Computes e^rho for every rho."""

TASK = "reparameterise"
HINT = """Moderate rho are right. For large ones the answer is infinite, though softplus of rho
is hardly more than rho. Which intermediate number is too large for a float, and can the
logarithm be written so that it never occurs?"""


def softplus(rho):
    return torch.log1p(torch.exp(rho))
