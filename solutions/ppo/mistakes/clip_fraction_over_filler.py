"""Counts masked actions too."""

TASK = "policy_loss"
HINT = """Your share counts actions that are no part of a response. By what should their number be divided,
and which belong to it?"""


def clip_fraction(logp, old_logp, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp)
    _check_clip(clip)
    far = ((logp - old_logp).exp() - 1).abs() > clip
    return far.to(logp.dtype).mean()
