"""Returns the tilted weights without dividing by Z."""

TASK = "rlhf"
HINT = """Your log Z is right and your policy doesn't add up to 1. What is Z for?"""


def optimal_policy(ref_logps, rewards, *, beta):
    _same_shape(ref_logps=ref_logps, rewards=rewards)
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")
    tilted = ref_logps + rewards / beta
    log_z = tilted.logsumexp(-1)
    return tilted, log_z
