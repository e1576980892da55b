"""Sends the gradient back through the branch alone."""

TASK = "skips"
HINT = """With a branch of zeros no gradient comes back, and through many faint branches almost none. x
enters y in two places: how many ways back are there?"""


def residual_backward(dout, branch_vjp, *, shortcut_vjp=None):
    return branch_vjp(dout)
