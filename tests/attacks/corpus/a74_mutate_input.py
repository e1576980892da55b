"""Zeroes its input, hoping to be compared with it."""

NUMBER, NAME, BY = 74, "mutate-input", "C"
OUTCOMES = ("failed",)


def centre(x):
    x[:] = 0
    return x
