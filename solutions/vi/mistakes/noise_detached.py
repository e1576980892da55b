"""Cuts the scaled noise from the graph: rho gets no gradient."""

TASK = "reparameterise"
HINT = """Your samples are right, and so is the gradient in mu; the one in rho is zero. The
noise is a given number and needs no gradient. Is the same true of what scales it?"""


def sample_weights(mu, rho, eps):
    _check_parameters(mu, rho, eps)
    return mu + (softplus(rho) * eps).detach()
