"""Takes the slope in the truth y instead of the prediction: the opposite sign everywhere."""

TASK = "pinball"
HINT = """Your slope has the right size and the opposite sign. Suppose y lies above the prediction: if the
prediction is raised a little, does the loss rise or fall? And with respect to which of its arguments is the
model going to be changed?"""


def pinball_subgradient(y, y_hat, tau):
    y, y_hat, tau = _as_floats("y", y), _as_floats("y_hat", y_hat), _as_levels("tau", tau)
    return np.where(y >= y_hat, tau, tau - 1)
