"""Averages within each response first."""

TASK = "policy_loss"
HINT = """You average within each row, then over rows. An action in a long response weighs less than one in
a short response then: what does the task give each of them?"""


def clipped_policy_loss(logp, old_logp, advantages, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp, advantages=advantages)
    _check_clip(clip)
    advantages = advantages.detach()
    ratio = (logp - old_logp.detach()).exp()
    surrogate = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    count = mask.sum(-1)
    means = torch.where(mask, surrogate, 0.0).sum(-1) / count.clamp(min=1)
    return -means[count > 0].mean()
