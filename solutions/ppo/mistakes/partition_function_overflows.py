"""Sums exponentials as they are."""

TASK = "rlhf"
HINT = """You are right for moderate rewards, and infinite where r / beta is large. exp(1000) is too large
for a float; is log Z?"""


def optimal_policy(ref_logps, rewards, *, beta):
    _same_shape(ref_logps=ref_logps, rewards=rewards)
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")
    tilted = ref_logps + rewards / beta
    log_z = tilted.exp().sum(-1).log()
    return tilted - log_z[..., None], log_z
