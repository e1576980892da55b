"""Averages the probabilities before taking the logarithm."""

TASK = "perplexity"
HINT = """Where all tokens are equally probable you are right, elsewhere your perplexity is too small, and
an impossible token leaves it finite. Which comes first in the definition, the mean or the logarithm?"""


def perplexity(logp):
    return float(1 / torch.exp(logp.double()).mean())
