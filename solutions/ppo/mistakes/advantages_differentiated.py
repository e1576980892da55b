"""Lets the gradient flow into the advantages."""

TASK = "policy_loss"
HINT = """The loss is right, and it has a gradient in the advantages. They come from the critic: should the
critic learn to flatter the policy?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    ratio = (logp - old_logp.detach()).exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return -surrogate[mask].mean()
