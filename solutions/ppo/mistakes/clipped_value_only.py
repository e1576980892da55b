"""Uses the clipped prediction alone."""

TASK = "value_entropy"
HINT = """You are right where the clipped prediction is the worse one. A value has moved far away from its
return, and the clip hides that: is there a gradient to bring it back?"""


def clipped_value_loss(values, old_values, returns, mask, *, clip=0.2):
    _check_mask(mask, values=values, old_values=old_values, returns=returns)
    _check_clip(clip)
    old_values, returns = old_values.detach(), returns.detach()
    near = old_values + (values - old_values).clamp(-clip, clip)
    worse = (near - returns).square()
    return worse[mask].mean() / 2
