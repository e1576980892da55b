"""E[r] + beta KL."""

TASK = "optimum"
HINT = """The two parts of your objective are right, and moving away from the reference raises it. The
objective is maximised: should the divergence be a reward or a price?"""


def kl_regularised_objective(logp, reference_logp, reward, *, beta, kl=None):
    kl = kl_divergence if kl is None else kl
    return (logp.exp() * reward).sum(-1) + beta * kl(logp, reference_logp)
