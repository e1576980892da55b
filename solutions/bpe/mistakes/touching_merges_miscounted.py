"""Updates the neighbors of each place by itself, wrongly where two merges touch."""

TASK = "incremental"
HINT = """Right unless the merged pair stands twice in a row, as (a, b) in `abab`: there, the pair (b, a) in
the middle is taken away twice, and the neighbors you count for each place are those from before the other
merge. Which pairs does the whole word hold before, and which after?"""


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
            joined, i = pair[0] + pair[1], 0
            while i < len(word) - 1:
                if word[i : i + 2] != pair:
                    i += 1
                    continue
                around = []
                if i > 0:
                    around.append(((word[i - 1], word[i]), (word[i - 1], joined)))
                if i + 2 < len(word):
                    around.append(((word[i + 1], word[i + 2]), (joined, word[i + 2])))
                for old, new in around:
                    counts[old] = counts.get(old, 0) - weight
                    counts[new] = counts.get(new, 0) + weight
                    where.setdefault(new, set()).add(number)
                i += 2
        counts.pop(pair, None)
    return merges
