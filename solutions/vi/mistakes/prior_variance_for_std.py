"""Hands the prior's variance to the divergence."""

TASK = "linear_elbo"
HINT = """The likelihood is right and the divergence is that from another prior, right only at
scale 1. What does `kl` expect as its fourth argument, and what do you give it?"""


def linear_elbo(mu, sigma, X, y, *, noise_std, prior_std, kl=kl_gaussians):
    _positive("sigma", sigma)
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    squared = (y - X @ mu) ** 2 + X**2 @ sigma**2
    log_likelihood = -0.5 * math.log(2 * math.pi * noise_std**2) - squared / (2 * noise_std**2)
    return log_likelihood.sum() - kl(mu, sigma, 0.0, prior_std**2)
