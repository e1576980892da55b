"""Uses the plain squared error."""

TASK = "value_entropy"
HINT = """You are right for values that have hardly moved. What should a critic gain from moving further
than the clip in one update?"""


def clipped_value_loss(values, old_values, returns, mask, *, clip=0.2):
    _check_mask(mask, values=values, old_values=old_values, returns=returns)
    _check_clip(clip)
    old_values, returns = old_values.detach(), returns.detach()
    near = old_values + (values - old_values).clamp(-clip, clip)
    worse = (values - returns).square()
    return worse[mask].mean() / 2
