"""Indexes all rows with all labels: an (m, m) table instead of m entries."""

TASK = "coverage"
HINT = """Your coverage hardly depends on which label belongs to which row: permuting the labels would not
change it. For 45 rows, how many entries of the table of sets decide the coverage, and how many does your
indexing pick?"""


def set_coverage(sets, labels):
    sets = _as_sets(sets)
    labels = _as_groups(labels, sets.shape[1], name="labels")
    if labels.shape != sets.shape[:1]:
        raise ValueError(f"labels must have one entry per row of sets, got {labels.shape} and {sets.shape}")
    return np.mean(sets[:, labels])
