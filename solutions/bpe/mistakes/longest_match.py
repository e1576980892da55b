"""Cuts off the longest token that fits, from left to right."""

TASK = "encode"
HINT = """Your tokens are all in the vocabulary and join to the text, but they aren't those that training
would have made. Taking the longest token that fits is another algorithm (WordPiece encodes so). The merges
have an order: what is it for?"""


def encode_word(word, ranks):
    known = {left + right for left, right in ranks}
    tokens, start = [], 0
    while start < len(word):
        stop = len(word)
        while stop > start + 1 and word[start:stop] not in known:
            stop -= 1
        tokens.append(word[start:stop])
        start = stop
    return tokens
