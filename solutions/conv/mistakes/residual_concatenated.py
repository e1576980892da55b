"""Puts the branch beside the input, as a U-Net does."""

TASK = "skips"
HINT = """Your block gives twice as many channels as it got. Two kinds of skip share a name: which of them
adds, and which keeps both?"""


def residual_block(x, branch, *, shortcut=None):
    return np.concatenate([x if shortcut is None else shortcut(x), branch(x)], axis=1)
