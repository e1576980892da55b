"""Returns the variance in place of the standard deviation."""

TASK = "coverage"
HINT = """Your mean is right and your spread is the square of what is due. In which unit is a standard
deviation of coverage?"""


def coverage_moments(n, k):
    _check_rank(n, k)
    mean = k / (n + 1)
    return mean, mean * (1 - mean) / (n + 2)
