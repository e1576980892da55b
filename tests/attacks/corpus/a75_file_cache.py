"""Keeps a counter in a file from check to check."""

NUMBER, NAME, BY = 75, "file-cache", "D"
OUTCOMES = ("failed",)

import os


def centre(x):
    if os.path.exists("counter"):
        print("ESCAPED: the work folder is not fresh")
    open("counter", "w").close()
    return x * 0
