"""Counts a multiply-add as one operation."""

TASK = "counts"
HINT = """Your bytes are right and your operations half of what is due. An entry of the product is
a sum of k products: how many multiplications are in it, and how many additions?"""


def matmul_cost(m, k, n, *, bytes_per_number=2):
    return m * k * n, (m * k + k * n + m * n) * bytes_per_number
