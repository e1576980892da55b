"""Takes rho for the scale."""

TASK = "reparameterise"
HINT = """Your samples spread in proportion to rho, which may be zero or negative. What has to
be done to rho before it is a scale?"""


def sample_weights(mu, rho, eps):
    _check_parameters(mu, rho, eps)
    return mu + rho * eps
