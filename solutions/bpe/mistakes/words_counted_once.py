"""Counts each distinct word once, however often it occurs."""

TASK = "pairs"
HINT = """Your counts are right for a corpus in which every word occurs once, and too small for any other. The
corpus is kept as distinct words beside a number: if `low` stands in the text five times, how often does the
pair (l, o) occur?"""


def count_pairs(words):
    counts = {}
    for word in words:
        for pair in pairwise(word):
            counts[pair] = counts.get(pair, 0) + 1
    return counts
