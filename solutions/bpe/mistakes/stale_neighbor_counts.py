"""Adds the new pairs' counts but never takes the old neighbors' away."""

# More than a third of the task: after a few merges nothing is right.
TASK = "incremental"
HINT = """Your first merge is right, later ones drift: some pairs are chosen for occurrences they no longer
have. Say (b, c) is merged in `abcd`. Two pairs appear. Which ones disappear with it?"""


def train_incremental(counts, where, read, n_merges, *, merge=merge_pair):
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    counts, where = dict(counts), {pair: set(numbers) for pair, numbers in where.items()}
    words, merges = {}, []
    while len(merges) < n_merges and any(counts.values()):
        pair = best_pair(counts)
        merges.append(pair)
        for number in where.pop(pair, ()):
            word, weight = words[number] if number in words else read(number)
            merged = merge(word, pair)
            if merged == word:
                continue
            words[number] = merged, weight
            for new in pairwise(merged):
                if pair[0] + pair[1] in new:
                    counts[new] = counts.get(new, 0) + weight
                    where.setdefault(new, set()).add(number)
        counts.pop(pair, None)
    return merges
