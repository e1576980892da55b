"""Takes the logarithm of a sigmoid that has become 0."""

TASK = "reward_model"
HINT = """Your loss is right for rewards that are near each other, and infinite for pairs far apart in the
wrong order. What is sigma(-1000) in floating point, and what is its logarithm on paper?"""


def bradley_terry_loss(chosen, rejected):
    _same_shape(chosen=chosen, rejected=rejected)
    _not_empty("chosen", chosen)
    return -torch.sigmoid(chosen - rejected).log().mean()
