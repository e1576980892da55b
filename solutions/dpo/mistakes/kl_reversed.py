"""KL(q || p)."""

TASK = "optimum"
HINT = """You are right when the two are equal, and infinite, or NaN, in the wrong case. The divergence is
not symmetric: it asks how surprised q is by what p does. Under which of the two is the mean taken?"""


def kl_divergence(logp, logq):
    terms = logq.exp() * (logq - logp)
    return terms.masked_fill(logq == -math.inf, 0.0).sum(-1)
