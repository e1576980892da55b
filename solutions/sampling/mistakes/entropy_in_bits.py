"""Takes the logarithm to base 2."""

TASK = "perplexity"
HINT = """Your entropy is the right one times a constant, 1 / log 2. In which unit is it, and which base
do all logarithms of this assignment have?"""


def entropy(logp):
    surprise = torch.where(logp > NEVER, -logp, 0.0)
    return (logp.exp() * surprise).sum(dim=-1) / math.log(2)
