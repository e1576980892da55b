"""Softmax of the rewards, whatever the reference."""

TASK = "rlhf"
HINT = """Your optimum does not depend on the reference. If all rewards are equal, which policy costs
nothing?"""


def optimal_policy(ref_logps, rewards, *, beta):
    _same_shape(ref_logps=ref_logps, rewards=rewards)
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")
    tilted = rewards / beta
    log_z = tilted.logsumexp(-1)
    return tilted - log_z[..., None], log_z
