"""Adds alpha to the total once instead of once per token."""

TASK = "ngram"
HINT = """With alpha = 0 you are right; with more, your probabilities add up to more than 1. How much has
the sum of the counts grown once each of the V tokens has received its alpha?"""


def ngram_log_probs(counts, tokens, *, n, vocab_size, alpha=0.0):
    followers = counts.get(_context(tokens, n), {})
    smoothed = torch.full((vocab_size,), float(alpha), dtype=torch.float64)
    for token, count in followers.items():
        smoothed[token] += count
    if not followers:
        smoothed = torch.ones_like(smoothed)
    return (smoothed / (smoothed.sum() - alpha * (vocab_size - 1) if followers else vocab_size)).log()
