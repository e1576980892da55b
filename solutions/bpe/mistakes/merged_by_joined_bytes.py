"""Merges any two neighbours that join to the right bytes."""

TASK = "merge"
HINT = """Right while all tokens are single bytes. Later a token may be reached by different cuts: (ab, a) and
(a, ba) both join to `aba`. Which of the two did this merge ask for?"""


def merge_pair(word, pair):
    joined = pair[0] + pair[1]
    merged, i = [], 0
    while i < len(word):
        if b"".join(word[i : i + 2]) == joined and i + 1 < len(word):
            merged.append(joined)
            i += 2
        else:
            merged.append(word[i])
            i += 1
    return tuple(merged)
