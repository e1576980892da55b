"""Takes the smaller of the two squared errors."""

TASK = "value_entropy"
HINT = """You are right while no value has moved further than the clip. Beyond it you count the better
prediction: what then keeps a critic from jumping past the return?"""


def clipped_value_loss(values, old_values, returns, mask, *, clip=0.2):
    _check_mask(mask, values=values, old_values=old_values, returns=returns)
    _check_clip(clip)
    old_values, returns = old_values.detach(), returns.detach()
    near = old_values + (values - old_values).clamp(-clip, clip)
    worse = torch.minimum((values - returns).square(), (near - returns).square())
    return worse[mask].mean() / 2
