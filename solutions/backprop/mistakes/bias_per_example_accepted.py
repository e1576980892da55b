"""Lets a bias have a column per example, as an early version of the notes writes it."""

TASK = "forward"
HINT = """Parameters of the right shapes work. A bias with one column per example is accepted too, and the
network then answers only for batches of that size. What would such a bias mean for an eleventh player, and
which error does the docstring promise instead?"""


def check_shapes(x, params):
    if x.ndim != 2 or params["W1"].shape[1] != x.shape[1]:
        raise ValueError(f"x must have shape (b, f), got {x.shape}")
