"""Returns the objective itself."""

TASK = "policy_loss"
HINT = """Your number is right but for its sign. The surrogate is to become large: what does an optimiser do
with a loss?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = (logp - old_logp.detach()).exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    return surrogate[mask].mean()
