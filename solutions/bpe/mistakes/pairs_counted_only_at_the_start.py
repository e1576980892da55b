"""Counts the pairs once and merges them by descending count, never counting again."""

TASK = "train"
HINT = """Your first merge is right, and the later ones are pairs of single bytes only. After (e, s) has been
merged, how often do (s, t) and (es, t) occur?"""


def train(words, vocab_size, special_tokens=(), *, count=count_pairs, best=best_pair, merge=merge_pair):
    counts = dict(count(words))
    merges = []
    while counts and len(merges) < vocab_size - N_BYTES - len(special_tokens):
        pair = best(counts)
        del counts[pair]
        merges.append(pair)
    return merges
