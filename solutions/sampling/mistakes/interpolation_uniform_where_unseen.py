"""Mixes in the uniform distribution for a context that was never seen."""

TASK = "ngram"
HINT = """Where the longest context was seen you are right. Where it was not, you give its share to the
uniform distribution, and what the shorter context knows is watered down. Who should decide where the
longer one is silent?"""


def interpolated_log_probs(counts_by_order, tokens, *, vocab_size, weight):
    mixed = torch.full((vocab_size,), 1.0 / vocab_size, dtype=torch.float64)
    for n, counts in enumerate(counts_by_order, start=1):
        frequencies = ngram_log_probs(counts, tokens, n=n, vocab_size=vocab_size).exp()
        mixed = weight * frequencies + (1 - weight) * mixed
    return mixed.log()
