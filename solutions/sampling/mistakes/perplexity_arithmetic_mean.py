"""Averages 1 / p instead of the logarithms."""

TASK = "perplexity"
HINT = """Where all tokens are equally probable you are right, elsewhere your perplexity is too large, and
one rare token nearly decides it alone. Which mean of the 1 / p does exp(-mean log p) give?"""


def perplexity(logp):
    return float(torch.exp(-logp.double()).mean())
