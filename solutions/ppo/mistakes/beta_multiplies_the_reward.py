"""Tilts by beta r."""

TASK = "rlhf"
HINT = """You are right at beta = 1. As leaving the reference becomes dearer, should the optimum move away
from it or back to it?"""


def optimal_policy(ref_logps, rewards, *, beta):
    _same_shape(ref_logps=ref_logps, rewards=rewards)
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")
    tilted = ref_logps + rewards * beta
    log_z = tilted.logsumexp(-1)
    return tilted - log_z[..., None], log_z
