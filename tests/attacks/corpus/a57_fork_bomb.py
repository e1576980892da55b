"""Forks for ever."""

NUMBER, NAME, BY = 57, "fork-bomb", "S"
OUTCOMES = ("failed", "timeout")

import os


def centre(x):
    while True:
        try:
            os.fork()
        except OSError:
            return x * 0
