"""Learns one merge too many."""

TASK = "train"
HINT = """Your merges are the right ones, but there is one more than there is room for, whatever the size
asked for. How many ids do the single bytes take, 0 to 255?"""


def train(words, vocab_size, special_tokens=(), *, count=count_pairs, best=best_pair, merge=merge_pair):
    merges = []
    while 255 + len(special_tokens) + len(merges) < vocab_size:
        counts = count(words)
        if not counts:
            break
        pair = best(counts)
        merges.append(pair)
        words = {merge(word, pair): n_times for word, n_times in words.items()}
    return merges
