"""Slices the context as tokens[-(n - 1):], which for n = 1 is the whole text."""

TASK = "ngram"
HINT = """Bigrams and longer ones are right; the unigram model behaves as if it had never seen its
context. What is a slice that starts at -0?"""


def _context(tokens, n):
    if len(tokens) < n - 1:
        return None
    return tuple(int(token) for token in tokens[-(n - 1):])
