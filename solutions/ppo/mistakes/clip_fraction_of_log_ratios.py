"""Compares the log-ratio with the clip."""

TASK = "policy_loss"
HINT = """Your share is nearly right, and differs for ratios near the edges. Is it the ratio or its
logarithm that is kept within clip of 1?"""


def clip_fraction(logp, old_logp, mask, *, clip=0.2):
    _check_mask(mask, logp=logp, old_logp=old_logp)
    _check_clip(clip)
    far = (logp - old_logp).abs() > clip
    return far[mask].to(logp.dtype).mean()
