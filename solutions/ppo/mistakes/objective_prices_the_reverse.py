"""Subtracts beta KL(pi_ref || pi)."""

TASK = "rlhf"
HINT = """The mean reward is right, and the divergence is the one from the reference's side. Under which
policy is its mean taken in J?"""


def kl_objective(logps, ref_logps, rewards, *, beta):
    _same_shape(logps=logps, ref_logps=ref_logps, rewards=rewards)
    return (logps.exp() * rewards - beta * ref_logps.exp() * (ref_logps - logps)).sum(-1)
