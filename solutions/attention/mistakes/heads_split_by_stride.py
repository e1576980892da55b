"""Deals features out to heads like cards: head h gets every n_heads-th feature."""

TASK = "multi_head"
HINT = """With one head, or one feature per head, you are right; otherwise each head gets the right
number of features, every n_heads-th of a token. Which features does the docstring give to head 0:
neighbours, or features spread over the whole width?"""


def split_heads(x, n_heads):
    return x.unflatten(-1, (x.shape[-1] // n_heads, n_heads)).movedim(-1, -3)
