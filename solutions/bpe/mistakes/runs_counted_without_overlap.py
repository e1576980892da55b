"""Counts the pair (a, a) in `aaa` once, as many times as it could be merged."""

TASK = "pairs"
HINT = """Your counts are right except in runs of one token, such as `aaa`. You seem to count how often the
pair could be merged there; the handout counts places. At how many places in `aaa` does an a stand beside an
a?"""


def count_pairs(words):
    counts = {}
    for word, n_times in words.items():
        i = 0
        while i < len(word) - 1:
            pair = (word[i], word[i + 1])
            counts[pair] = counts.get(pair, 0) + n_times
            in_run = i + 2 < len(word) and word[i] == word[i + 1] == word[i + 2]
            i += 2 if in_run else 1
    return counts
