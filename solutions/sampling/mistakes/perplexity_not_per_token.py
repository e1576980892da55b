"""Takes the sum of the surprise instead of the mean."""

TASK = "perplexity"
HINT = """Your perplexity grows with the length of the text, exponentially: for a uniform model it is V to
the number of tokens. What makes texts of different lengths comparable?"""


def perplexity(logp):
    return float(torch.exp(-logp.double().sum()))
