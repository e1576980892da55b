"""Raises 2 to a mean that is in nats."""

TASK = "perplexity"
HINT = """Your perplexity of a uniform model over V tokens is not V but a smaller power of it. The base of
the power and the base of the logarithm have to be the same: which are yours?"""


def perplexity(logp):
    return float(2 ** -logp.double().mean())
