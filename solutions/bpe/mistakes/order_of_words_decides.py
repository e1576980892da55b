"""Chooses as the notes' loop does: the first of the most frequent pairs."""

TASK = "train"
HINT = """Every pair you choose has the highest count, but with the same words in another order you get other
merges. The notes' loop has this flaw too. You have been given a function that settles ties: is it the one
that chooses?"""


def train(words, vocab_size, special_tokens=(), *, count=count_pairs, best=best_pair, merge=merge_pair):
    merges = []
    for _ in range(vocab_size - N_BYTES - len(special_tokens)):
        counts = count(words)
        if not counts:
            break
        pair = max(counts, key=counts.get)
        merges.append(pair)
        words = {merge(word, pair): n_times for word, n_times in words.items()}
    return merges
