"""Divides by n - 1."""

TASK = "standardise"
HINT = """Your features come out a little too small, and the fewer examples there are, the more so. Which of the two
definitions of variance does the handout ask for?"""


def standardise(x, *, eps=1e-5):
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0, ddof=1) + eps)
