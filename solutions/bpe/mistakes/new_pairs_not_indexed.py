"""Counts the pairs that a merge creates, but not which words hold them."""

# More than a third of the task: after a few merges nothing is right.
TASK = "incremental"
HINT = """The counts are kept up to date, so a pair with a new token is chosen at the right time; but merging
it changes nothing, and the choices after it are wrong. How does your code find the words that hold a pair
which the first index didn't know?"""


def train_incremental(counts, where, read, n_merges, *, merge=merge_pair):
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    counts, where = dict(counts), {pair: set(numbers) for pair, numbers in where.items()}
    words, merges = {}, []
    while len(merges) < n_merges and any(counts.values()):
        pair = best_pair(counts)
        merges.append(pair)
        for number in where.get(pair, ()):
            word, weight = words[number] if number in words else read(number)
            merged = merge(word, pair)
            if merged == word:
                continue
            words[number] = merged, weight
            for old in pairwise(word):
                counts[old] -= weight
            for new in pairwise(merged):
                counts[new] = counts.get(new, 0) + weight
                where.setdefault(new, set())
    return merges
