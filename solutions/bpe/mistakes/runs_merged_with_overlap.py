"""Uses a token of a run twice: `aaa` becomes aa, aa."""

TASK = "merge"
HINT = """Right except in runs: merging (a, a) in `aaa` gives you a word of more letters than it had. Once the
first two tokens have become one, is the second still there to pair up with the third?"""


def merge_pair(word, pair):
    merged, i = [], 0
    while i < len(word):
        if word[i : i + 2] == pair:
            merged.append(pair[0] + pair[1])
            i += 2 if pair[0] != pair[1] or word[i + 1 : i + 3] != pair else 1
        else:
            merged.append(word[i])
            i += 1
    return tuple(merged)
