"""Merges from right to left: `aaa` becomes a, aa."""

TASK = "merge"
HINT = """Right except in runs of odd length, where the token left over stands at the other end than it
should. From which side does the handout say a word is merged, and where does that leave the third a of
`aaa`?"""


def merge_pair(word, pair):
    merged, i = [], len(word)
    while i > 0:
        if word[max(i - 2, 0) : i] == pair:
            merged.append(pair[0] + pair[1])
            i -= 2
        else:
            merged.append(word[i - 1])
            i -= 1
    return tuple(reversed(merged))
