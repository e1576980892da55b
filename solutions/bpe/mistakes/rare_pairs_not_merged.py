"""Stops as soon as no pair occurs twice."""

TASK = "train"
HINT = """Right until the pairs get rare: then training ends before the vocabulary has the size asked for.
Some libraries have a smallest frequency below which they don't merge. Is there one in the handout?"""


def train(words, vocab_size, special_tokens=(), *, count=count_pairs, best=best_pair, merge=merge_pair):
    merges = []
    for _ in range(vocab_size - N_BYTES - len(special_tokens)):
        counts = count(words)
        if not counts or max(counts.values()) < 2:
            break
        pair = best(counts)
        merges.append(pair)
        words = {merge(word, pair): n_times for word, n_times in words.items()}
    return merges
