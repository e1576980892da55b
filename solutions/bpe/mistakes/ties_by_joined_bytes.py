"""Breaks ties by the joined token instead of by the pair."""

TASK = "pairs"
HINT = """Your ties are right as long as all tokens have the same length. Take the pairs (a, bc) and (ab, a):
which comes first when you compare left token with left token, and which when you compare the joined tokens?
The rule is about pairs."""


def best_pair(counts):
    return min(counts, key=lambda pair: (-counts[pair], pair[0] + pair[1]))
