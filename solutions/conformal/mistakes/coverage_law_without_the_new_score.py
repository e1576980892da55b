"""Takes Beta(k, n - k): the gap above the largest score is forgotten."""

TASK = "coverage"
HINT = """Your moments are those of Beta(k, n - k). n scores cut the line into how many gaps, and with all
of them equally likely for a new score, how many lie below the k-th smallest?"""


def coverage_moments(n, k):
    _check_rank(n, k)
    if k >= n:
        return 1.0, 0.0
    mean = k / n
    return mean, math.sqrt(mean * (1 - mean) / (n + 1))
