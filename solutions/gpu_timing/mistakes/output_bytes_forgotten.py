"""Counts what a matrix product reads and not what it writes."""

TASK = "counts"
HINT = """Your operations are right, and your bytes are too few by one matrix. Two matrices come
in: where does the result have to go?"""


def matmul_cost(m, k, n, *, bytes_per_number=2):
    return 2 * m * k * n, (m * k + k * n) * bytes_per_number
