"""Takes the exponential of each reward on its own."""

TASK = "bradley_terry"
HINT = """For rewards of ordinary size you are right; for large ones the answer is NaN or 0/0. Only the
difference of two rewards means anything. Does your computation need more than that difference?"""


def preference_probability(reward_a, reward_b):
    return reward_a.exp() / (reward_a.exp() + reward_b.exp())
