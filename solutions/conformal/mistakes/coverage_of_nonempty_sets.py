"""Counts a row as covered if its set is not empty."""

TASK = "coverage"
HINT = """Your coverage is the share of rows with any label in their set; it does not depend on the labels
at all. Whom would a set of wrong labels cover?"""


def set_coverage(sets, labels):
    sets = _as_sets(sets)
    labels = _as_groups(labels, sets.shape[1], name="labels")
    if labels.shape != sets.shape[:1]:
        raise ValueError(f"labels must have one entry per row of sets, got {labels.shape} and {sets.shape}")
    return np.mean(sets.any(axis=1))
