"""Averages the size over the sets that are not empty."""

TASK = "coverage"
HINT = """Your mean size is right when every set holds a label, and too large when some are empty. If one
method gives empty sets where another gives one label, which should come out smaller on average?"""


def mean_set_size(sets):
    sets = _as_sets(sets)
    sizes = sets.sum(axis=1)
    return np.mean(sizes[sizes > 0]) if sets.any() else np.float64(0.0)
