"""Lets the gradient flow into returns and old values."""

TASK = "value_entropy"
HINT = """The loss is right, and it has gradients in what it should take as given. Should the critic move
towards its target, or the target towards the critic?"""


def clipped_value_loss(values, old_values, returns, mask, *, clip=0.2):
    _check_mask(mask, values=values, old_values=old_values, returns=returns)
    _check_clip(clip)
    near = old_values + (values - old_values).clamp(-clip, clip)
    worse = torch.maximum((values - returns).square(), (near - returns).square())
    return worse[mask].mean() / 2
