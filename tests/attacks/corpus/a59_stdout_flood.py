"""Prints for ever."""

NUMBER, NAME, BY = 59, "stdout-flood", "J"
OUTCOMES = ("crashed", "failed", "timeout")


def centre(x):
    while True:
        print("flood" * 10_000)
