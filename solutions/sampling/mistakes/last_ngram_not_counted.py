"""Stops one n-gram before the end of each text."""

TASK = "ngram"
HINT = """Each text lacks its last n-gram. A text of T tokens has T - n + 1 of them: at which position
does the last one end, and does your loop reach it?"""


def ngram_counts(sequences, n):
    counts = {}
    for sequence in sequences:
        ids = [int(token) for token in sequence]
        for end in range(n - 1, len(ids) - 1):
            followers = counts.setdefault(tuple(ids[end - n + 1 : end]), {})
            followers[ids[end]] = followers.get(ids[end], 0) + 1
    return counts
