"""Computes the likelihood at the best weights."""

TASK = "posterior"
HINT = """Your evidence is too large, the more so the more weights there are: it is how well the
posterior's mean fits. Are theta integrated out there, or chosen after the data were seen?"""


def log_evidence(X, y, *, noise_std, prior_std):
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    mean, _ = linear_posterior(X, y, noise_std=noise_std, prior_std=prior_std)
    return gaussian_logpdf(y, X @ mean, noise_std)
