"""Takes the maximum of the two objectives."""

TASK = "policy_loss"
HINT = """You are right while no ratio leaves the clip. Beyond it you take the more flattering of two
numbers; which one leaves the policy no reason to go further?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = (logp - old_logp.detach()).exp()
    surrogate = torch.maximum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -surrogate[mask].mean()
