"""Merges the first occurrence of the pair and leaves the others."""

TASK = "merge"
HINT = """Right for words that hold the pair once. A merge stands for every place in the corpus: what should
`abcab` become when (a, b) is merged, and what did you do after the first one?"""


def merge_pair(word, pair):
    for i in range(len(word) - 1):
        if word[i : i + 2] == pair:
            return word[:i] + (pair[0] + pair[1],) + word[i + 2 :]
    return word
