"""Folders in folders, too many for a recursive removal."""

NUMBER, NAME, BY = 125, "deep-folders", "J"
OUTCOMES = ("failed", "timeout")


import os


def centre(x):
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    return x * 0
