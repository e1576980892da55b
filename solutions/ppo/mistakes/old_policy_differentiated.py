"""Lets the gradient flow into the old log-probabilities."""

TASK = "policy_loss"
HINT = """The loss is right, and it has a gradient in old_logp. If both came from the same parameters, the
two gradients would cancel: is the policy that drew the batch still to be changed?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = (logp - old_logp).exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -surrogate[mask].mean()
