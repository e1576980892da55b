"""Adds eps to the standard deviation."""

TASK = "standardise"
HINT = """Your result is right where the features vary a lot and too large where they hardly vary. At which point of
the formula does eps enter, and what does it protect?"""


def standardise(x, *, eps=1e-5):
    return (x - x.mean(axis=0)) / (x.std(axis=0) + eps)
