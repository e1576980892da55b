"""Keeps the error's sign on the second branch, so that predicting too high earns a negative loss."""

TASK = "pinball"
HINT = """Your losses are right where the prediction is too low, and negative where it is too high. What
would a model do that is paid for predicting too high?"""


def pinball_loss(y, y_hat, tau):
    y, y_hat, tau = _as_floats("y", y), _as_floats("y_hat", y_hat), _as_levels("tau", tau)
    error = y - y_hat
    return np.where(error >= 0, tau * error, (1 - tau) * error)
