"""0 times infinity where p is 0."""

TASK = "optimum"
HINT = """With positive probabilities everywhere you are right; as soon as p rules something out, you
return NaN. What does a response that is never given add to a mean under p?"""


def kl_divergence(logp, logq):
    return (logp.exp() * (logp - logq)).sum(-1)
