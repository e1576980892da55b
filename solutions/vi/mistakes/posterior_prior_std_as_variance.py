"""Divides by prior_std where its square is due."""

TASK = "posterior"
HINT = """Your posterior is right for a prior of scale 1. For a wider one, the prior still pulls
too much. What is the precision of a Gaussian with a given standard deviation?"""


def linear_posterior(X, y, *, noise_std, prior_std):
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    identity = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    precision = X.T @ X / noise_std**2 + identity / prior_std
    return torch.linalg.solve(precision, X.T @ y / noise_std**2), precision
