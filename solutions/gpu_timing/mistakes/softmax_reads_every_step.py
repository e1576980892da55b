"""Has every step of the softmax read the matrix again."""

TASK = "counts"
HINT = """Your operations are right and your bytes are too many: maximum, exponential and division
each fetch the row anew. If one kernel does all of it, where can a row stay in between?"""


def softmax_cost(n_rows, n_columns, *, bytes_per_number=2):
    return 5 * n_rows * n_columns, 4 * n_rows * n_columns * bytes_per_number
