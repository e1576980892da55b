"""Adds prior_std^2 to the diagonal, as if it were the strength of a penalty."""

TASK = "posterior"
HINT = """Your prior pulls harder the wider it is. Should a prior that allows large weights
shrink them more or less?"""


def linear_posterior(X, y, *, noise_std, prior_std):
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    identity = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    precision = X.T @ X / noise_std**2 + identity * prior_std**2
    return torch.linalg.solve(precision, X.T @ y / noise_std**2), precision
