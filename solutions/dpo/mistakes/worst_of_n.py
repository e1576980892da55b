"""Keeps the answer of lowest reward."""

TASK = "best_of_n"
HINT = """Your probabilities add up to 1, and with larger n they gather at the wrong end. Is F the probability
of doing at most as well, or at least as well?"""

_right_best = best_of_n


def best_of_n(reference_p, reward, n):
    return _right_best(reference_p, -reward, n)
