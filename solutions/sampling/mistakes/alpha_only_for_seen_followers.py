"""Adds alpha only to the tokens that followed the context."""

TASK = "ngram"
HINT = """With alpha = 0 you are right; with more, tokens that never followed the context still have
probability 0. For whose sake are pseudo-counts added?"""


def ngram_log_probs(counts, tokens, *, n, vocab_size, alpha=0.0):
    followers = counts.get(_context(tokens, n), {})
    smoothed = torch.full((vocab_size,), 0.0, dtype=torch.float64)
    for token, count in followers.items():
        smoothed[token] += count + alpha
    if not followers:
        smoothed = torch.ones_like(smoothed)
    return (smoothed / smoothed.sum()).log()
