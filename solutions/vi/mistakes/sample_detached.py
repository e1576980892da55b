"""Draws outside of the graph: no gradient at all."""

TASK = "reparameterise"
HINT = """Your samples are right and have no gradients: to autograd they come from nowhere. A
sampler cannot be differentiated, but a sum can. Where does reparameterisation put the
randomness?"""


def sample_weights(mu, rho, eps):
    _check_parameters(mu, rho, eps)
    with torch.no_grad():
        return mu + softplus(rho) * eps
