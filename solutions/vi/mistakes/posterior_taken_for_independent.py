"""Uses the diagonal of the precision only."""

TASK = "posterior"
HINT = """Against a posterior without correlations your divergence is right, and else too small.
q has no correlations. Does that mean that it cannot miss any?"""


def kl_to_posterior(mu, sigma, mean, precision):
    _positive("sigma", sigma)
    _check_posterior(mean, precision)
    return kl_gaussians(mu, sigma, mean, precision.diagonal() ** -0.5)
