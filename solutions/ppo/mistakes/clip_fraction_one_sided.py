"""Counts only ratios above 1 + clip."""

TASK = "policy_loss"
HINT = """You count actions that became much more likely. What about those that became much less likely?"""


def clip_fraction(logp, old_logp, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp)
    _check_clip(clip)
    far = (logp - old_logp).exp() - 1 > clip
    return far[mask].to(logp.dtype).mean()
