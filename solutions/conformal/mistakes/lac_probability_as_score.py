"""Scores a label by its probability, so the best label looks strangest."""

TASK = "label_sets"
HINT = """Your score is the highest for the label the model finds most probable. A score says how badly a
label fits: a set keeps the labels that score at most q. Which labels would yours keep?"""


def lac_scores(probs):
    return _as_probs(probs).copy()
