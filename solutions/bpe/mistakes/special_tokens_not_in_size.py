"""Forgets that the special tokens take ids too."""

TASK = "train"
HINT = """Right without special tokens; with them the vocabulary comes out larger than asked for. A model's
embedding table has `vocab_size` rows: which ids need one?"""


def train(words, vocab_size, special_tokens=(), *, count=count_pairs, best=best_pair, merge=merge_pair):
    merges = []
    for _ in range(vocab_size - N_BYTES):
        counts = count(words)
        if not counts:
            break
        pair = best(counts)
        merges.append(pair)
        words = {merge(word, pair): n_times for word, n_times in words.items()}
    return merges
