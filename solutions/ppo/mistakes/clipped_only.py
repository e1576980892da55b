"""Uses the clipped ratio alone."""

TASK = "policy_loss"
HINT = """You are right where clipping makes the objective smaller. Take an action with a bad advantage that
has become twice as likely: which way should the gradient pull, and does it still, if the ratio is
clipped?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = (logp - old_logp.detach()).exp()
    surrogate = ratio.clamp(1 - clip, 1 + clip) * advantages
    return -surrogate[mask].mean()
