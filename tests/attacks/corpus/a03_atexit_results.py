"""Rewrites results.json when the program ends."""

NUMBER, NAME, BY = 3, "atexit-results", "C"
OUTCOMES = ("failed",)

import atexit
import pathlib


def centre(x):
    def rewrite():
        for place in ("results.json", "../results.json", "/autograder/results/results.json"):
            pathlib.Path(place).write_text('{"score": 100}')

    atexit.register(rewrite)
    return x * 0
