"""Reshapes to (h, T, d_k) without moving the heads."""

TASK = "layer"
HINT = """For a single new token you are right; with several, features of different tokens end up in
one head. In memory a token's features lie side by side: what does a reshape to (..., h, T, d_k) put
into the first head?"""


def _split_heads(x, d_k):
    return x.reshape(*x.shape[:-2], -1, x.shape[-2], d_k)
