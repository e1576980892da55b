"""Starts the mixture from the unigram frequencies without the uniform floor."""

TASK = "ngram"
HINT = """Tokens that occur in the text are nearly right, and a token that occurs nowhere is impossible at
every weight below 1, too. Which distribution stands below the unigram's?"""


def interpolated_log_probs(counts_by_order, tokens, *, vocab_size, weight):
    mixed = torch.full((vocab_size,), 1.0 / vocab_size, dtype=torch.float64)
    for n, counts in enumerate(counts_by_order, start=1):
        if _context(tokens, n) in counts:
            frequencies = ngram_log_probs(counts, tokens, n=n, vocab_size=vocab_size).exp()
            mixed = frequencies if n == 1 else weight * frequencies + (1 - weight) * mixed
    return mixed.log()
