"""Sends the gradient back past the branch alone."""

TASK = "skips"
HINT = """With a branch of zeros all is right; any other branch changes nothing. x enters y in two places:
how many ways back are there?"""


def residual_backward(dout, branch_vjp, *, shortcut_vjp=None):
    branch_vjp(dout)
    return dout if shortcut_vjp is None else shortcut_vjp(dout)
