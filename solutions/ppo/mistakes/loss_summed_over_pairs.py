"""Sums over the pairs instead of averaging."""

TASK = "reward_model"
HINT = """For one pair your loss is right; it grows with the number of pairs. If the batch is doubled,
should the same learning rate take steps twice as long?"""


def bradley_terry_loss(chosen, rejected):
    _same_shape(chosen=chosen, rejected=rejected)
    _not_empty("chosen", chosen)
    return -torch.nn.functional.logsigmoid(chosen - rejected).sum()
