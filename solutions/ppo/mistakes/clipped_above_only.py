"""Bounds the ratio from above, not from below."""

TASK = "policy_loss"
HINT = """You are right for actions that became more likely. An action with a bad advantage has become half
as likely: should it be pushed further down on the same evidence?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = (logp - old_logp.detach()).exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(max=1 + clip) * advantages)
    return -surrogate[mask].mean()
