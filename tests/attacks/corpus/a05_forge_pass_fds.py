"""Writes PASS to every descriptor."""

NUMBER, NAME, BY = 5, "forge-pass-fds", "C"
OUTCOMES = ("rejected",)

import os


def centre(x):
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b"PASSED 100 of 100\n" * 10)
        except OSError:
            pass
    return x * 0
