"""Computes 0 * log 0 as NaN."""

TASK = "perplexity"
HINT = """Your entropy is right where every token is possible, and NaN where one has probability 0. To
which value does p log p tend as p goes to 0, and what does floating point make of 0 * inf?"""


def entropy(logp):
    return -(logp.exp() * logp).sum(dim=-1)
