"""Keeps the merges without their order."""

TASK = "train"
HINT = """You find the right merges, but give them back in another order than the one in which they were
learned. The notes' code returns a set too. To encode new text, which of two merges that are both possible
comes first?"""


def train(words, vocab_size, special_tokens=(), *, count=count_pairs, best=best_pair, merge=merge_pair):
    merges = set()
    for _ in range(vocab_size - N_BYTES - len(special_tokens)):
        counts = count(words)
        if not counts:
            break
        pair = best(counts)
        merges.add(pair)
        words = {merge(word, pair): n_times for word, n_times in words.items()}
    return sorted(merges)
