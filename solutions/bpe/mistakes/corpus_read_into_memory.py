"""Reads every word at the start, needed or not."""

TASK = "incremental"
HINT = """The merges are right and the updates too, but you begin by reading the whole corpus. Suppose it
doesn't fit into memory: the counts and the index are there already. When is the first moment at which you
need to know a word's tokens?"""


def train_incremental(counts, where, read, n_merges, *, merge=merge_pair):
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    counts, where = dict(counts), {pair: set(numbers) for pair, numbers in where.items()}
    words = {number: read(number) for number in sorted(set().union(*where.values()))}
    merges = []
    while len(merges) < n_merges and any(counts.values()):
        pair = best_pair(counts)
        merges.append(pair)
        for number in where.pop(pair, ()):
            word, weight = words[number]
            merged = merge(word, pair)
            words[number] = merged, weight
            for old in pairwise(word):
                counts[old] -= weight
            for new in pairwise(merged):
                counts[new] = counts.get(new, 0) + weight
                where.setdefault(new, set()).add(number)
    return merges
