"""(i / N)^n - ((i - 1) / N)^n: best-of-n of the empirical distribution."""

TASK = "best_of_n"
HINT = """With n = 1 you are right. With n = N you should return the maximum, and are below it. You let the same
draw be chosen several times. Can two of n fresh answers be the same draw?"""


def best_of_n_estimate(rewards, n):
    N = rewards.shape[-1]
    weights = [((i + 1) / N) ** n - (i / N) ** n for i in range(N)]
    return (rewards.sort(-1).values * rewards.new_tensor(weights)).sum(-1)
