"""Reads every word and counts everything anew for each merge."""

TASK = "incremental"
HINT = """The merges are right, but for each of them you go through the whole corpus again: with 8,000 merges,
8,000 times. Of a million words perhaps ten hold the pair that is merged. For which pairs does the count
change, and in which words?"""


def train_incremental(counts, where, read, n_merges, *, merge=merge_pair):
    if n_merges < 0:
        raise ValueError(f"n_merges must be 0 or more, got {n_merges}")
    numbers = sorted(set().union(*where.values()))
    merges = []
    while len(merges) < n_merges:
        counts = {}
        for number in numbers:
            word, weight = read(number)
            for pair in merges:
                word = merge_pair(word, pair)
            for pair in pairwise(word):
                counts[pair] = counts.get(pair, 0) + weight
        if not counts:
            break
        merges.append(best_pair(counts))
    return merges
