"""Counts, in the index, a pair once per word."""

TASK = "incremental"
HINT = """Your sets of words are right, and the counts too small where a word holds a pair more than once. The
set needs to know the word only once; how often does the pair (a, b) occur in `abab`?"""


def index_pairs(words):
    counts, where = {}, {}
    for number, (word, n_times) in enumerate(words):
        for pair in dict.fromkeys(pairwise(word)):
            counts[pair] = counts.get(pair, 0) + n_times
            where.setdefault(pair, set()).add(number)
    return counts, where
