"""Averages the losses, where one per entry is asked for."""

TASK = "pinball"
HINT = """A single number came back where one loss per entry is due; for one pair of numbers it is right.
When three quantiles are predicted at once, what could a caller still learn from the one number about each
of them?"""


def pinball_loss(y, y_hat, tau):
    y, y_hat, tau = _as_floats("y", y), _as_floats("y_hat", y_hat), _as_levels("tau", tau)
    error = y - y_hat
    return np.mean(np.where(error >= 0, tau * error, (tau - 1) * error))
