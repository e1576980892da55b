"""Weighs the data as if the noise were 1."""

TASK = "posterior"
HINT = """Your posterior is right if the noise has scale 1 and does not notice when it has
another. Should a row measured precisely count as much as a noisy one?"""


def linear_posterior(X, y, *, noise_std, prior_std):
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    identity = torch.eye(X.shape[1], dtype=X.dtype, device=X.device)
    precision = X.T @ X + identity / prior_std**2
    return torch.linalg.solve(precision, X.T @ y), precision
