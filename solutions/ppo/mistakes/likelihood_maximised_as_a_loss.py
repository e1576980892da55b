"""Leaves out the minus."""

TASK = "reward_model"
HINT = """Your loss is negative where it should be positive. An optimiser makes losses small: should the
log-probability of people's choices become small?"""


def bradley_terry_loss(chosen, rejected):
    _same_shape(chosen=chosen, rejected=rejected)
    _not_empty("chosen", chosen)
    return torch.nn.functional.logsigmoid(chosen - rejected).mean()
