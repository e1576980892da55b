"""Splits at zero, where autograd takes a side."""

TASK = "reparameterise"
HINT = """Every value is right, and every slope but the one at rho = 0, where softplus is as
smooth as elsewhere. Which of your pieces has a kink there, and what does autograd answer at a
kink?"""


def softplus(rho):
    return rho.clamp(min=0) + torch.log1p(torch.exp(-rho.abs()))
