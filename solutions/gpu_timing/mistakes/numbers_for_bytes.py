"""Counts numbers where bytes are due."""

TASK = "counts"
HINT = """Your operations are right; your bytes don't change with bytes_per_number. How much room
does a number take?"""


def matmul_cost(m, k, n, *, bytes_per_number=2):
    return 2 * m * k * n, m * k + k * n + m * n
