"""Dies of a signal that has no name."""

NUMBER, NAME, BY = 101, "nameless-signal", "J"
OUTCOMES = ("crashed",)

import os


def centre(x):
    os.kill(os.getpid(), 40)
