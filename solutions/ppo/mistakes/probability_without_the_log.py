"""Averages minus the probability, without its logarithm."""

TASK = "reward_model"
HINT = """Your loss lies between -1 and 0. A model that is sure and wrong pays at most 1 with it, as much as
a hundred pairs that are a little better: what does maximum likelihood make it pay?"""


def bradley_terry_loss(chosen, rejected):
    _same_shape(chosen=chosen, rejected=rejected)
    _not_empty("chosen", chosen)
    return -torch.sigmoid(chosen - rejected).mean()
