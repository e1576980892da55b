"""E[r] - beta KL(pi_ref || pi)."""

TASK = "optimum"
HINT = """You ask for the divergence with its arguments in the other order. Samples come from the policy that
is trained, and each of them pays log(pi / pi_ref). Under which of the two is that a mean?"""


def kl_regularised_objective(logp, reference_logp, reward, *, beta, kl=None):
    kl = kl_divergence if kl is None else kl
    return (logp.exp() * reward).sum(-1) - beta * kl(reference_logp, logp)
