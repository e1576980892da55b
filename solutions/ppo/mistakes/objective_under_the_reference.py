"""Averages under the reference."""

TASK = "rlhf"
HINT = """You average over the responses as the reference draws them. Whose responses will be rewarded once
the policy is in use?"""


def kl_objective(logps, ref_logps, rewards, *, beta):
    _same_shape(logps=logps, ref_logps=ref_logps, rewards=rewards)
    return (ref_logps.exp() * (rewards - beta * (logps - ref_logps))).sum(-1)
