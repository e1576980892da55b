"""Reads a word again for every merge that touches it, and replays the merges so far."""

TASK = "incremental"
HINT = """The merges are right, and you read only words that hold the pair, but some of them again and again.
What you computed the last time you had such a word is lost: where could it be kept?"""


def train_incremental(counts, where, read, n_merges, *, merge=merge_pair):
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    counts, where = dict(counts), {pair: set(numbers) for pair, numbers in where.items()}
    merges = []
    while len(merges) < n_merges and any(counts.values()):
        pair = best_pair(counts)
        for number in where.pop(pair, ()):
            word, weight = read(number)
            for earlier in merges:
                word = merge_pair(word, earlier)
            merged = merge(word, pair)
            for old in pairwise(word):
                counts[old] -= weight
            for new in pairwise(merged):
                counts[new] = counts.get(new, 0) + weight
                where.setdefault(new, set()).add(number)
        merges.append(pair)
    return merges
