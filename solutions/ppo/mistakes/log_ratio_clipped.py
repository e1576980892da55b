"""Clips the log-ratio to -clip .. clip."""

TASK = "policy_loss"
HINT = """You are right inside the clip, and just a little off outside: your bounds are exp(clip) and
exp(-clip). What lies between 1 - clip and 1 + clip, the ratio or its logarithm?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = (logp - old_logp.detach()).exp()
    surrogate = torch.minimum(ratio * advantages, (logp - old_logp.detach()).clamp(-clip, clip).exp() * advantages)
    return -surrogate[mask].mean()
