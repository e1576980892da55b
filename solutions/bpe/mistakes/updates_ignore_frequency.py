"""Changes counts by 1 for each word, however often the word occurs."""

# More than a third of the task: after a few merges nothing is right.
TASK = "incremental"
HINT = """Right when every word occurs once. The index counted each pair as often as its words occur in the
text; by how much does the count of (l, o) fall when it is merged in a word that occurs 500 times?"""


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
                counts[old] -= 1
            for new in pairwise(merged):
                counts[new] = counts.get(new, 0) + 1
                where.setdefault(new, set()).add(number)
    return merges
