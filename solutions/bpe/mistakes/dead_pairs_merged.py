"""Goes on merging when every count has fallen to zero."""

TASK = "incremental"
HINT = """Right as long as there are pairs left. In the end every word is one token, but your training goes on
with pairs that occur nowhere any more. Their counts are still in your table: what do they say?"""


def train_incremental(counts, where, read, n_merges, *, merge=merge_pair):
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    counts, where = dict(counts), {pair: set(numbers) for pair, numbers in where.items()}
    words, merges = {}, []
    while len(merges) < n_merges and counts:
        pair = best_pair(counts)
        merges.append(pair)
        for number in where.pop(pair, ()):
            word, weight = words[number] if number in words else read(number)
            merged = merge(word, pair)
            words[number] = merged, weight
            for old in pairwise(word):
                counts[old] -= weight
            for new in pairwise(merged):
                counts[new] = counts.get(new, 0) + weight
                where.setdefault(new, set()).add(number)
        counts.pop(pair)
    return merges
