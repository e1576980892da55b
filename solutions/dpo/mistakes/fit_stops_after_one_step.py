"""One step of the iteration."""

TASK = "bradley_terry"
HINT = """You move in the right direction, but not far enough: with your rewards, the wins that are expected
are not yet the wins that were counted. The step needs the strengths on both of its sides. When do
you know that they agree?"""


def fit_bradley_terry(wins):
    _check_wins(wins)
    games = wins + wins.T
    rewards = (wins.sum(1) / (games / 2).sum(1)).log()
    return rewards - rewards.mean()
