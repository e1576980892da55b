"""Divides the old probability by the new."""

TASK = "policy_loss"
HINT = """You are right only where the two policies are equal, and the gradient has the wrong sign even
there. If an action with a good advantage becomes more likely, should the objective rise?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = (old_logp.detach() - logp).exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -surrogate[mask].mean()
