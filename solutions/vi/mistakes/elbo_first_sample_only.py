"""Uses the first sample alone."""

TASK = "elbo"
HINT = """With one sample your ELBO is right, and further ones change nothing. It is still
unbiased. Why would one pay for more samples?"""


def elbo(
    mu, rho, eps, X, y, *, log_likelihood, prior_std, n_total=None, sample=sample_weights, kl=kl_from_prior
):
    _check_parameters(mu, rho, eps)
    _check_batch(eps, X, y, n_total)
    _positive("prior_std", prior_std)
    theta = sample(mu, rho, eps)
    scale = 1.0 if n_total is None else n_total / len(y)
    return scale * log_likelihood(theta[:1], X, y).sum(-1).mean() - kl(mu, rho, prior_std)
