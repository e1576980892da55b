"""Merges the pair that was learned last first."""

TASK = "encode"
HINT = """You let ranks decide, but the merge learned last comes first. Ranks count from 0: which merge did
training make first, and which one could only be made after it?"""


def encode_word(word, ranks):
    tokens = [word[i : i + 1] for i in range(len(word))]
    while len(tokens) > 1:
        rank, i = max((ranks.get(pair, -1), -i) for i, pair in enumerate(pairwise(tokens)))
        if rank < 0:
            break
        tokens[-i : -i + 2] = [tokens[-i] + tokens[-i + 1]]
    return tokens
