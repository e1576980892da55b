"""Cuts the memory into heads without moving the head dimension; heads mix up tokens."""

TASK = "multi_head"
HINT = """With one head you are right, and the shape always is; with more heads, a head holds
features of the wrong tokens. A reshape keeps the order in memory, where a token's features lie side
by side. In that order, what comes right after the first d_k features of token 0: another head of
token 0, or token 1?"""


def split_heads(x, n_heads):
    *lead, T, d_model = x.shape
    return x.reshape(*lead, n_heads, T, d_model // n_heads)
