"""Keeps a counter in a module that outlives the check."""

NUMBER, NAME, BY = 76, "global-cache", "C"
OUTCOMES = ("failed",)

import sys


def centre(x):
    calls = sys.modules["math"].__dict__.setdefault("calls_of_scaling", [])
    calls.append(len(x))
    if len(calls) > 3:
        print("ESCAPED: the process is not fresh")
    return x * 0
