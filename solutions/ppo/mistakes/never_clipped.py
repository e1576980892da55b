"""Uses the plain ratio alone."""

TASK = "policy_loss"
HINT = """You are right while no ratio leaves the clip. What keeps the second and third epoch on the same
batch from going as far as they like?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = (logp - old_logp.detach()).exp()
    surrogate = ratio * advantages
    return -surrogate[mask].mean()
