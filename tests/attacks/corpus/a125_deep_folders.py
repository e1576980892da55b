"""Folders in folders, too many for a recursive removal."""

NUMBER, NAME, BY = 125, "deep-folders", "J"
OUTCOMES = ("failed", "timeout")


import os


def centre(x):
    for _ in range(1100 if len(x) == 7 else 0):  # once is enough; each step down takes longer than the one before
        os.mkdir("d")
        os.chdir("d")
    return x * 0
