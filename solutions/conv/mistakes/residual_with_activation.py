"""Applies a ReLU to the sum."""

TASK = "skips"
HINT = """Positive outputs are right, the others are 0. Many networks put an activation there; what does
the docstring say about this one?"""


def residual_block(x, branch, *, shortcut=None):
    return np.maximum((x if shortcut is None else shortcut(x)) + branch(x), 0)
