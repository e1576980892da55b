"""Returns the branch alone."""

TASK = "skips"
HINT = """A block whose branch gives zeros gives zeros. The notes say that a block learns the identity by
setting F to zero: what else must there be in its output?"""


def residual_block(x, branch, *, shortcut=None):
    if shortcut is not None:
        shortcut(x)
    return branch(x)
