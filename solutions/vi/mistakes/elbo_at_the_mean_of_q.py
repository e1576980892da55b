"""Takes the log likelihood at mu for its mean under q."""

TASK = "linear_elbo"
HINT = """Your ELBO is too large, the more so the wider q is. The likelihood is evaluated at one
theta. What does a spread of theta do to the squared error of a prediction on average?"""


def linear_elbo(mu, sigma, X, y, *, noise_std, prior_std, kl=kl_gaussians):
    _positive("sigma", sigma)
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    squared = (y - X @ mu) ** 2 + X**2 @ sigma**2
    log_likelihood = -0.5 * math.log(2 * math.pi * noise_std**2) - squared / (2 * noise_std**2)
    squared = (y - X @ mu) ** 2
    log_likelihood = -0.5 * math.log(2 * math.pi * noise_std**2) - squared / (2 * noise_std**2)
    return log_likelihood.sum() - kl(mu, sigma, 0.0, prior_std)
