"""Subtracts the squared distance of the ratio from 1 instead of clipping."""

TASK = "policy_loss"
HINT = """You punish a ratio for its distance from 1 everywhere, inside the clip as well. What does the
clipped objective do to ratios within 1 -+ clip?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = (logp - old_logp.detach()).exp()
    surrogate = ratio * advantages - (ratio - 1).square() / (2 * clip)
    return -surrogate[mask].mean()
