"""Adds the noise as it is."""

TASK = "reparameterise"
HINT = """Without noise your samples are right. With it they spread equally for every weight,
and rho has no influence. How certain should q be able to be?"""


def sample_weights(mu, rho, eps):
    _check_parameters(mu, rho, eps)
    return mu + eps + 0 * rho
