"""Uses the spread of a proportion among n independent trials."""

TASK = "coverage"
HINT = """Your mean is right; your spread is that of the share of successes in n coin tosses, close but too
wide. What is random here: n hits or misses, or the place of one order statistic? Look up the variance of a
Beta(a, b) again."""


def coverage_moments(n, k):
    _check_rank(n, k)
    mean = k / (n + 1)
    return mean, math.sqrt(mean * (1 - mean) / max(n, 1))
