"""Joins heads by a reshape alone; a token's output holds features of other tokens."""

TASK = "multi_head"
HINT = """With one head you are right, and the shape always is; with more, one token's output holds
features of several tokens. In (n_heads, T, d_k) the memory runs through all tokens of head 0 first.
Which dimension has to stand beside d_k before the two can be merged?"""


def join_heads(x):
    *lead, n_heads, T, d_k = x.shape
    return x.reshape(*lead, T, n_heads * d_k)
