"""Breaks ties by the largest pair of byte strings, in training from the index."""

TASK = "incremental"
HINT = """Each pair you merge is as frequent as any, but of several equally frequent ones you take the last in byte order.
Other courses break ties so. Which one does `best_pair` choose, and does your way of finding the maximum agree with it?"""


def train_incremental(counts, where, read, n_merges, *, merge=merge_pair):
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    counts, where = dict(counts), {pair: set(numbers) for pair, numbers in where.items()}
    words, merges = {}, []
    while len(merges) < n_merges and any(counts.values()):
        pair = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(pair)
        for number in where.pop(pair, ()):
            word, weight = words[number] if number in words else read(number)
            merged = merge(word, pair)
            if merged == word:
                continue
            words[number] = merged, weight
            for old in pairwise(word):
                counts[old] -= weight
            for new in pairwise(merged):
                counts[new] = counts.get(new, 0) + weight
                where.setdefault(new, set()).add(number)
        counts.pop(pair, None)
    return merges
