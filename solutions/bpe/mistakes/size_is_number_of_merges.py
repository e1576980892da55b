"""Takes `vocab_size` for the number of merges, as the notes' `num_merges`."""

TASK = "train"
HINT = """You learn merges until there are `vocab_size` of them. The notes' function is told how many merges
to make; this one how large the finished vocabulary is. What else is in the vocabulary, before the first
merge?"""


def train(words, vocab_size, special_tokens=(), *, count=count_pairs, best=best_pair, merge=merge_pair):
    merges = []
    for _ in range(vocab_size):
        counts = count(words)
        if not counts:
            break
        pair = best(counts)
        merges.append(pair)
        words = {merge(word, pair): n_times for word, n_times in words.items()}
    return merges
