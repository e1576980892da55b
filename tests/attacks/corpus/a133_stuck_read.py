"""Reads what never comes: a pipe that nobody writes to."""

NUMBER, NAME, BY = 133, "stuck-read", "C"
OUTCOMES = ("failed", "timeout")

import os


def centre(x):
    os.mkfifo("pipe")
    with open("pipe") as file:
        file.read()
    return x * 0
