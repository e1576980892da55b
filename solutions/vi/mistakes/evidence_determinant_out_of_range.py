"""Takes the logarithm of a determinant that no float holds."""

TASK = "posterior"
HINT = """With few rows your evidence is right, and with many it is not even finite. A
determinant is a product of as many factors as there are rows. Where does such a product end,
and what is a sum of logarithms?"""


def log_evidence(X, y, *, noise_std, prior_std):
    _check_data(X, y, noise_std=noise_std, prior_std=prior_std)
    identity = torch.eye(len(y), dtype=X.dtype, device=X.device)
    covariance = noise_std**2 * identity + prior_std**2 * X @ X.T
    quadratic = y @ torch.linalg.solve(covariance, y)
    return -0.5 * (len(y) * math.log(2 * math.pi) + torch.log(torch.linalg.det(covariance)) + quadratic)
