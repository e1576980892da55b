"""Reads gain and bias once for each row."""

TASK = "counts"
HINT = """Your operations are right and your bytes twice as many as due. Gain and bias are the same
for every row: how often do they have to come from memory?"""


def layer_norm_cost(n_rows, n_columns, *, bytes_per_number=2):
    return 7 * n_rows * n_columns, (4 * n_rows * n_columns) * bytes_per_number
