"""Fixes the first reward at 0 instead of the sum."""

TASK = "bradley_terry"
HINT = """All differences of your rewards are right. The likelihood can't see a constant added to all of
them, so somebody has to choose it. Which choice does the docstring make?"""

_right_fit = fit_bradley_terry


def fit_bradley_terry(wins):
    rewards = _right_fit(wins)
    return rewards - rewards[0]
