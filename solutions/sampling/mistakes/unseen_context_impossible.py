"""Gives every token probability 0 after a context that was never seen."""

TASK = "ngram"
HINT = """Contexts of the training text are right; after any other one all your tokens are impossible.
What do you know about the next token if you know nothing about its context, and do your probabilities add
up to 1?"""


def ngram_log_probs(counts, tokens, *, n, vocab_size, alpha=0.0):
    followers = counts.get(_context(tokens, n), {})
    smoothed = torch.full((vocab_size,), float(alpha), dtype=torch.float64)
    for token, count in followers.items():
        smoothed[token] += count
    if not followers:
        smoothed = torch.zeros_like(smoothed)
    return (smoothed / smoothed.sum().clamp(min=1e-300)).log()
