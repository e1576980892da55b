"""Adds the most probable label to an empty LAC set."""

TASK = "label_sets"
HINT = """Your sets are right wherever some label scores q or less; where none does, you keep one all the
same. That never hurts coverage, but what does an empty set tell a user that a set of one does not, and
which of the two does the handout define?"""


def lac_sets(probs, q):
    probs = _as_probs(probs)
    q = float(_as_floats("q", q))
    sets = lac_scores(probs) <= q
    sets[np.arange(len(probs)), probs.argmax(axis=1)] = True
    return sets
