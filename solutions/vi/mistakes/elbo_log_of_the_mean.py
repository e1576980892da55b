"""Averages likelihoods instead of their logarithms."""

TASK = "elbo"
HINT = """With one sample your ELBO is right. With more it is too large: the best sample
dominates. Is the expectation inside the logarithm or around it?"""


def elbo(
    mu, rho, eps, X, y, *, log_likelihood, prior_std, n_total=None, sample=sample_weights, kl=kl_from_prior
):
    _check_parameters(mu, rho, eps)
    _check_batch(eps, X, y, n_total)
    _positive("prior_std", prior_std)
    theta = sample(mu, rho, eps)
    scale = 1.0 if n_total is None else n_total / len(y)
    return scale * (log_likelihood(theta, X, y).sum(-1).logsumexp(0) - math.log(len(eps))) - kl(mu, rho, prior_std)
