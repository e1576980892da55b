"""Takes the first n - 1 tokens of the text as the context."""

TASK = "ngram"
HINT = """You are right as long as the text is no longer than the context. Later your prediction no longer
changes with what was just said: which n - 1 tokens stand next to the one to be predicted?"""


def _context(tokens, n):
    if len(tokens) < n - 1:
        return None
    return tuple(int(token) for token in tokens[: n - 1])
