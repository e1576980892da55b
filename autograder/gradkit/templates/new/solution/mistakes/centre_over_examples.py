"""Subtracts each example's own mean instead of each feature's."""

TASK = "centre"
HINT = """Each row of your result sums to zero, where each column should. Which of the two axes runs over the
examples, and what should an average over examples leave behind?"""


def centre(x):
    return x - x.mean(axis=1, keepdims=True)
