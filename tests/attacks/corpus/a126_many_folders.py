"""Folders without end, no files."""

NUMBER, NAME, BY = 126, "many-folders", "J"
OUTCOMES = ("failed", "rejected", "timeout")


import os


def centre(x):
    n = 0
    while len(x) == 7:  # once: counting them and removing them takes the grader seconds each time
        os.mkdir(str(n))
        n += 1
    return x * 0
