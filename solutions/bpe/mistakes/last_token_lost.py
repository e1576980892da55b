"""Walks over pairs of neighbours and drops a last token that was not merged."""

TASK = "merge"
HINT = """Your words come out a token short whenever their last token is not part of a merge. The walk looks
at a token and its right neighbour: what happens to the token that has none?"""


def merge_pair(word, pair):
    merged, i = [], 0
    while i < len(word) - 1:
        if word[i : i + 2] == pair:
            merged.append(pair[0] + pair[1])
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return tuple(merged)
