"""Tries to become root again."""

NUMBER, NAME, BY = 52, "setuid0", "S"
OUTCOMES = ("failed",)

import os


def centre(x):
    for regain in (
        lambda: os.setuid(0),
        lambda: os.setresuid(0, 0, 0),
        lambda: os.setgroups([0]),
        lambda: os.seteuid(0),
    ):
        try:
            regain()
            print("ESCAPED: root again")
        except OSError:
            pass
    return x * 0
