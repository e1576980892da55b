"""Adds 1 before taking the logarithm: small e^rho vanish."""

TASK = "reparameterise"
HINT = """Your softplus is right around zero and for large rho. Far below zero it is exactly 0,
which is no scale. What is left of e^-40 once 1 has been added to it?"""


def softplus(rho):
    return rho.clamp(min=0) + torch.log(1 + torch.exp(-rho.abs()))
