"""Adds the divergence."""

TASK = "elbo"
HINT = """The likelihood's part is right, and the divergence raises your ELBO instead of
lowering it. Where would an ascent carry q, if being far from the prior were rewarded?"""


def elbo(
    mu, rho, eps, X, y, *, log_likelihood, prior_std, n_total=None, sample=sample_weights, kl=kl_from_prior
):
    _check_parameters(mu, rho, eps)
    _check_batch(eps, X, y, n_total)
    _positive("prior_std", prior_std)
    theta = sample(mu, rho, eps)
    scale = 1.0 if n_total is None else n_total / len(y)
    return scale * log_likelihood(theta, X, y).sum(-1).mean() + kl(mu, rho, prior_std)
