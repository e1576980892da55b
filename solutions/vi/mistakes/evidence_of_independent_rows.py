"""Takes the rows for independent once theta is integrated out."""

TASK = "posterior"
HINT = """For a single row your evidence is right, and not for several. Given theta the rows are
independent. If theta is not known, does the first row say something about the second?"""


def log_evidence(X, y, *, noise_std, prior_std):
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    variance = noise_std**2 + prior_std**2 * (X**2).sum(-1)
    return gaussian_logpdf(y, torch.zeros_like(y), variance.sqrt())
