"""Merges once and stops."""

TASK = "encode"
HINT = """The first merge in each word is the right one, and then nothing more happens. A token that a merge
made can be part of the next: when is a word finished?"""


def encode_word(word, ranks):
    tokens = [word[i : i + 1] for i in range(len(word))]
    if len(tokens) > 1:
        rank, i = min((ranks.get(pair, len(ranks)), i) for i, pair in enumerate(pairwise(tokens)))
        if rank < len(ranks):
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens
