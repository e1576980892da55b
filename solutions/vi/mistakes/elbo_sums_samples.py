"""Sums over noise samples."""

TASK = "elbo"
HINT = """With one sample your ELBO is right. With more, the data seem to have been seen that
many times. Samples of theta estimate one expectation: what do you do with them?"""


def elbo(
    mu, rho, eps, X, y, *, log_likelihood, prior_std, n_total=None, sample=sample_weights, kl=kl_from_prior
):
    _check_parameters(mu, rho, eps)
    _check_batch(eps, X, y, n_total)
    _positive("prior_std", prior_std)
    theta = sample(mu, rho, eps)
    scale = 1.0 if n_total is None else n_total / len(y)
    return scale * log_likelihood(theta, X, y).sum() - kl(mu, rho, prior_std)
