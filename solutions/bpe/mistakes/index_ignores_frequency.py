"""Counts, in the index, every distinct word as if it occurred once."""

TASK = "incremental"
HINT = """Your sets of words are right, and the counts are those of a corpus where every word occurs once.
Each word comes with the number of times it occurs: which of the two results does that number belong in?"""


def index_pairs(words):
    counts, where = {}, {}
    for number, (word, n_times) in enumerate(words):
        for pair in pairwise(word):
            counts[pair] = counts.get(pair, 0) + 1
            where.setdefault(pair, set()).add(number)
    return counts, where
