"""The log-odds of each item's overall share of wins."""

TASK = "bradley_terry"
HINT = """The order of your rewards is often right, their size is not, and an item that has met strong
opponents gets too little. Is a win against the best worth the same as one against the weakest?
Where do the opponents' rewards enter?"""


def fit_bradley_terry(wins):
    _check_wins(wins)
    won, lost = wins.sum(1), wins.sum(0)
    rewards = (won / lost).log()
    return rewards - rewards.mean()
