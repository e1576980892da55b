"""Uses the log-ratio in the ratio's place."""

TASK = "policy_loss"
HINT = """Your loss is 0 when the policies are equal, and its clip never fits. The advantage of an action
drawn from the old policy is to be weighted as the new one would draw it: by which factor?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = logp - old_logp.detach()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -surrogate[mask].mean()
