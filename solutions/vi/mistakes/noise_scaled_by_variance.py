"""Multiplies the noise by the variance."""

TASK = "reparameterise"
HINT = """Weights whose scale is below 1 spread too little and those above spread too much. If
eps has variance 1, which variance has twice eps?"""


def sample_weights(mu, rho, eps):
    _check_parameters(mu, rho, eps)
    return mu + softplus(rho) ** 2 * eps
