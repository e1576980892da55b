"""Ignores every signal and loops."""

NUMBER, NAME, BY = 54, "ignore-signals", "C"
OUTCOMES = ("timeout",)

import signal


def centre(x):
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            pass
    while True:
        pass
