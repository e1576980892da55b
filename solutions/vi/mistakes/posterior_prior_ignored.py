"""Leaves the prior out of the precision."""

TASK = "posterior"
HINT = """Your precision is what the data alone say: without data it is zero, and with fewer
rows than weights there is no mean. What is known about theta before the first row?"""


def linear_posterior(X, y, *, noise_std, prior_std):
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    identity = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    precision = X.T @ X / noise_std**2 + 1e-300 * identity
    return torch.linalg.lstsq(precision, X.T @ y / noise_std**2, driver="gelsd")[0], precision
