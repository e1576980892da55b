"""Counts a pair once in each word that holds it, even where it stands there twice."""

TASK = "pairs"
HINT = """Your counts are right for words in which no pair repeats. How often does the pair (a, b) occur in
the one word `abcab`?"""


def count_pairs(words):
    counts = {}
    for word, n_times in words.items():
        for pair in dict.fromkeys(pairwise(word)):
            counts[pair] = counts.get(pair, 0) + n_times
    return counts
