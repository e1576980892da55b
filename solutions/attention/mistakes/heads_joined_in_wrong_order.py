"""Interleaves the heads when joining them: a token's features run over the heads first."""

TASK = "multi_head"
HINT = """Every token gets all of its features back, in another order: the first features of all
heads come first, then the second ones. W_O knows features by their place. After splitting, where
did head 1's first feature come from, and does joining put it back there?"""


def join_heads(x):
    return x.movedim(-3, -1).flatten(-2)
