"""Rewards the response that people rejected."""

TASK = "reward_model"
HINT = """Your loss falls when the rejected response gets the higher reward. What is the probability, in
this model, of the choice that people really made?"""


def bradley_terry_loss(chosen, rejected):
    _same_shape(chosen=chosen, rejected=rejected)
    _not_empty("chosen", chosen)
    return -torch.nn.functional.logsigmoid(rejected - chosen).mean()
