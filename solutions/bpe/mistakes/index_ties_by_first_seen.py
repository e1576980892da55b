"""Takes the first of the most frequent pairs, in training from the index."""

TASK = "incremental"
HINT = """Each pair you merge is as frequent as any, but of several equally frequent ones you take the first in the table. Its
order is an accident of the order of the words. What does `best_pair` look at besides the count?"""


def train_incremental(counts, where, read, n_merges, *, merge=merge_pair):
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    counts, where = dict(counts), {pair: set(numbers) for pair, numbers in where.items()}
    words, merges = {}, []
    while len(merges) < n_merges and any(counts.values()):
        pair = max(counts, key=counts.get)
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
