"""Leaves out every response that either of the two rules out."""

TASK = "optimum"
HINT = """Where p rules something out you are right. Where p does what q never does, you return a finite
number. How many samples of p does it take until q has been proved wrong?"""


def kl_divergence(logp, logq):
    terms = logp.exp() * (logp - logq)
    return torch.where(terms.isfinite(), terms, 0.0).sum(-1)
