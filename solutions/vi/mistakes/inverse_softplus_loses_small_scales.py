"""Subtracts 1 from e^sigma."""

TASK = "reparameterise"
HINT = """Large and moderate scales are right. For tiny ones the answer is minus infinity,
though rho is then the logarithm of sigma. How many digits of a tiny number survive next to a 1?"""


def inverse_softplus(sigma):
    _positive("sigma", sigma)
    return sigma + torch.log(1 - torch.exp(-sigma))
