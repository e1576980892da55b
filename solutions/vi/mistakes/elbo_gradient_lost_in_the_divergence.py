"""Takes the divergence as a plain number."""

TASK = "elbo"
HINT = """The value is right and the gradient is that of the likelihood alone: nothing pulls
towards the prior. Does the divergence depend on mu and rho, and is autograd told so?"""


def elbo(
    mu, rho, eps, X, y, *, log_likelihood, prior_std, n_total=None, sample=sample_weights, kl=kl_from_prior
):
    _check_parameters(mu, rho, eps)
    _check_batch(eps, X, y, n_total)
    _positive("prior_std", prior_std)
    theta = sample(mu, rho, eps)
    scale = 1.0 if n_total is None else n_total / len(y)
    return scale * log_likelihood(theta, X, y).sum(-1).mean() - kl(mu, rho, prior_std).item()
