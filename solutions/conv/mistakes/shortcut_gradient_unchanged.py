"""Adds dout itself, also where the shortcut is not the identity."""

TASK = "skips"
HINT = """Blocks without a shortcut function are right. With one, the gradient past the branch has the
shape of y, not of x. What did x go through on that way?"""


def residual_backward(dout, branch_vjp, *, shortcut_vjp=None):
    return dout + branch_vjp(dout)
