"""Counts weights only."""

TASK = "network"
HINT = """Your count is too small, by the number of units that are not inputs. What else does
each of these units have?"""


def n_parameters(sizes):
    _check_sizes(sizes)
    return sum(n_in * n_out for n_in, n_out in zip(sizes, sizes[1:]))
