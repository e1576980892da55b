"""Scales the divergence with the likelihood."""

TASK = "elbo"
HINT = """With all rows your ELBO is right. With a batch, the prior counts once for each batch
of an epoch. How often does a prior enter, however the data are cut?"""


def elbo(
    mu, rho, eps, X, y, *, log_likelihood, prior_std, n_total=None, sample=sample_weights, kl=kl_from_prior
):
    _check_parameters(mu, rho, eps)
    _check_batch(eps, X, y, n_total)
    _positive("prior_std", prior_std)
    theta = sample(mu, rho, eps)
    scale = 1.0 if n_total is None else n_total / len(y)
    return scale * (log_likelihood(theta, X, y).sum(-1).mean() - kl(mu, rho, prior_std))
