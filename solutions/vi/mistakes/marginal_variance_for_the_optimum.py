"""Gives q the posterior's marginal scales."""

TASK = "linear_elbo"
HINT = """Your mu is right, and your sigma is too wide unless the posterior has no correlations:
it is that of the marginals. KL(q || posterior) punishes q for being where the posterior is not.
If two weights can only move together, how far may one of them go alone?"""


def mean_field_optimum(mean, precision):
    _check_posterior(mean, precision)
    return mean.clone(), torch.linalg.inv(precision).diagonal().sqrt()
