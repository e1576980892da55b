"""Gives the probability that b is preferred to a."""

TASK = "bradley_terry"
HINT = """Two equal rewards get 1/2, as they should. With a higher reward for a, you make a less likely to
win. Whose reward should the probability rise with?"""


def preference_probability(reward_a, reward_b):
    return torch.sigmoid(reward_b - reward_a)
