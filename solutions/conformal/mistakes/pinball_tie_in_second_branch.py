"""Gives an exact prediction the slope of the branch y < y_hat."""

TASK = "pinball"
HINT = """Your slope is right wherever y differs from the prediction, and wrong where they are equal. Every
number between the two slopes would be a subgradient there, so a convention decides: to which branch does
the handout give equality?"""


def pinball_subgradient(y, y_hat, tau):
    y, y_hat, tau = _as_floats("y", y), _as_floats("y_hat", y_hat), _as_levels("tau", tau)
    return np.where(y > y_hat, -tau, 1 - tau)
