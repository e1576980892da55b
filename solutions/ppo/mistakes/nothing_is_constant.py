"""Lets the gradient flow into the old log-probabilities and the advantages."""

TASK = "policy_loss"
HINT = """The loss is right, and it has gradients in old_logp and in the advantages. Both were fixed before this
step: what must they be, so that only the new policy learns from it?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    ratio = (logp - old_logp).exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -surrogate[mask].mean()
