"""Leaves out the half."""

TASK = "value_entropy"
HINT = """Your loss is twice what is due. With which factor is the gradient of a square just its error?"""


def clipped_value_loss(values, old_values, returns, mask, *, clip=0.2):
    _check_mask(mask, values=values, old_values=old_values, returns=returns)
    _check_clip(clip)
    old_values, returns = old_values.detach(), returns.detach()
    near = old_values + (values - old_values).clamp(-clip, clip)
    worse = torch.maximum((values - returns).square(), (near - returns).square())
    return worse[mask].mean()
