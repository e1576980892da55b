"""Of equal pairs merges the rightmost first."""

TASK = "encode"
HINT = """Right except in runs, such as `aaa`, where one token is left over at the other end than in training.
From which side does `merge_pair` go through a word?"""


def encode_word(word, ranks):
    tokens = [word[i : i + 1] for i in range(len(word))]
    while len(tokens) > 1:
        rank, i = min((ranks.get(pair, len(ranks)), -i) for i, pair in enumerate(pairwise(tokens)))
        if rank == len(ranks):
            break
        tokens[-i : -i + 2] = [tokens[-i] + tokens[-i + 1]]
    return tokens
