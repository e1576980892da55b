"""Folders without end, no files."""

NUMBER, NAME, BY = 126, "many-folders", "J"
OUTCOMES = ("rejected", "timeout")


import os


def centre(x):
    n = 0
    while True:
        os.mkdir(str(n))
        n += 1
