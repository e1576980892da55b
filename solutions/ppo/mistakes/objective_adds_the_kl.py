"""Adds the price of the divergence."""

TASK = "rlhf"
HINT = """Your objective grows with the distance from the reference. Is that a price or a prize?"""


def kl_objective(logps, ref_logps, rewards, *, beta):
    _same_shape(logps=logps, ref_logps=ref_logps, rewards=rewards)
    return (logps.exp() * (rewards + beta * (logps - ref_logps))).sum(-1)
