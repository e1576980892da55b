"""The maximum of the first n rewards."""

TASK = "best_of_n"
HINT = """Your estimate has the right mean, but it depends on the order of the rewards and ignores most of them.
How many ways are there to choose n of N?"""


def best_of_n_estimate(rewards, n):
    return rewards[..., :n].amax(-1)
