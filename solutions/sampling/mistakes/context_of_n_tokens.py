"""Uses a context of n tokens instead of n - 1."""

TASK = "ngram"
HINT = """Your contexts are one token too long. An n-gram is n tokens in all: how many of them stand
before the last one, and what is then the context of a unigram?"""


def ngram_counts(sequences, n):
    counts = {}
    for sequence in sequences:
        ids = [int(token) for token in sequence]
        for end in range(n, len(ids)):
            followers = counts.setdefault(tuple(ids[end - n : end]), {})
            followers[ids[end]] = followers.get(ids[end], 0) + 1
    return counts
