"""Takes the precision for the covariance."""

TASK = "posterior"
HINT = """Your divergence is smallest for a q that is wide where the posterior is narrow. Which
of the two does `linear_posterior` return: something that grows with the data, or that shrinks?"""


def kl_to_posterior(mu, sigma, mean, precision):
    _positive("sigma", sigma)
    _check_posterior(mean, precision)
    inverse, step = torch.linalg.inv(precision), mu - mean
    spread = inverse.diagonal() @ sigma**2
    return 0.5 * (spread + step @ inverse @ step - len(mu) + torch.logdet(precision)) - sigma.log().sum()
