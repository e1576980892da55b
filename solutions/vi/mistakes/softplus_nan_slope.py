"""Chooses with `where` after computing both sides: the side not chosen spoils the gradient."""

TASK = "reparameterise"
HINT = """Every value is right, and for very large rho the slope is NaN. In `torch.where` the
side that is not chosen is computed too, and its gradient is multiplied by 0. What is 0 times
infinity?"""


def softplus(rho):
    return torch.where(rho > 30, rho, torch.log1p(torch.exp(rho)))
