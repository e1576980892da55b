"""Returns the covariance."""

TASK = "posterior"
HINT = """Your mean is right, and your matrix is the inverse of the one that is due. More data
must make a precision grow: does yours?"""


def linear_posterior(X, y, *, noise_std, prior_std):
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    identity = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    precision = X.T @ X / noise_std**2 + identity / prior_std**2
    return torch.linalg.solve(precision, X.T @ y / noise_std**2), torch.linalg.inv(precision)
