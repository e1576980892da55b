"""Lets a batch count as it is."""

TASK = "elbo"
HINT = """With all rows your ELBO is right. With a batch, the likelihood is too small by the
share of the data that it holds, so that the prior weighs too much. How many rows does each row
of the batch stand for?"""


def elbo(
    mu, rho, eps, X, y, *, log_likelihood, prior_std, n_total=None, sample=sample_weights, kl=kl_from_prior
):
    _check_parameters(mu, rho, eps)
    _check_batch(eps, X, y, n_total)
    _positive("prior_std", prior_std)
    theta = sample(mu, rho, eps)
    scale = 1.0 if n_total is None else n_total / len(y)
    return log_likelihood(theta, X, y).sum(-1).mean() - kl(mu, rho, prior_std)
