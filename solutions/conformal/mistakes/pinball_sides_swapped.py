"""Weights the two sides of the pinball loss the wrong way round, in the loss and in its slope."""

TASK = "pinball"
COSTLY = "Both functions are another loss's, everywhere."
HINT = """Your answer is right for tau = 1/2 and wrong elsewhere: it is what tau and 1 - tau would give if
they changed places. For the 0.9-quantile a good prediction has nine values in ten below it. Which of the
two errors, predicting too low or too high, has to be the expensive one for the minimizer to end up so high?"""


def pinball_loss(y, y_hat, tau):
    y, y_hat, tau = _as_floats("y", y), _as_floats("y_hat", y_hat), _as_levels("tau", tau)
    error = y - y_hat
    return np.where(error >= 0, (1 - tau) * error, -tau * error)


def pinball_subgradient(y, y_hat, tau):
    y, y_hat, tau = _as_floats("y", y), _as_floats("y_hat", y_hat), _as_levels("tau", tau)
    return np.where(y >= y_hat, tau - 1, tau)
