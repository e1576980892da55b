"""Takes the first of the most frequent pairs, in the order of the dictionary."""

TASK = "pairs"
HINT = """You choose a pair of the highest count, but where several have it the choice changes with the order
in which the counts are listed. Two people with the same text but another order of words would get different
tokenizers. What, besides the count, can decide, that is the same for both?"""


def best_pair(counts):
    return max(counts, key=counts.get)
