"""Joins the texts before counting, so n-grams reach from one into the next."""

TASK = "ngram"
HINT = """With one text you are right. With several you count n-grams that begin in one and end in the
next: did anyone ever write those tokens one after another?"""


def ngram_counts(sequences, n):
    counts = {}
    ids = [int(token) for sequence in sequences for token in sequence]
    for end in range(n - 1, len(ids)):
        followers = counts.setdefault(tuple(ids[end - n + 1 : end]), {})
        followers[ids[end]] = followers.get(ids[end], 0) + 1
    return counts
