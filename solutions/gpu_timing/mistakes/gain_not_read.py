"""Forgets that gain and bias are read."""

TASK = "counts"
HINT = """Your operations are right, and your bytes are too few by an amount that does not depend
on the number of rows. What does a layer norm read besides x?"""


def layer_norm_cost(n_rows, n_columns, *, bytes_per_number=2):
    return 7 * n_rows * n_columns, (2 * n_rows * n_columns) * bytes_per_number
