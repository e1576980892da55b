"""Merges the leftmost pair that has a rank, whatever the rank."""

TASK = "encode"
HINT = """You merge only pairs that were learned, but the leftmost first. In `abc`, let (b, c) have been
learned before (a, b): when training came to (a, b), was there still a b beside that a?"""


def encode_word(word, ranks):
    tokens = [word[i : i + 1] for i in range(len(word))]
    i = 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) in ranks:
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
            i = 0
        else:
            i += 1
    return tokens
