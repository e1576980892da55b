"""Averages the log likelihood over rows."""

TASK = "elbo"
HINT = """With one row in all, your ELBO is right; with more, the likelihood is too small by
their number. Rows are independent given theta: what is the log likelihood of all of them?"""


def elbo(
    mu, rho, eps, X, y, *, log_likelihood, prior_std, n_total=None, sample=sample_weights, kl=kl_from_prior
):
    _check_parameters(mu, rho, eps)
    _check_batch(eps, X, y, n_total)
    _positive("prior_std", prior_std)
    theta = sample(mu, rho, eps)
    scale = 1.0 if n_total is None else n_total / len(y)
    return log_likelihood(theta, X, y).mean() - kl(mu, rho, prior_std)
