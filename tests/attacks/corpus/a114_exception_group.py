"""Raises exceptions that can't be made again from a text."""

NUMBER, NAME, BY = 114, "odd-exceptions", "J"
OUTCOMES = ("failed", "rejected")


def centre(x):
    if len(x) == 2:
        raise ExceptionGroup("several", [ValueError(), OSError(2, "INPUT")])
    if len(x) == 3:
        raise UnicodeDecodeError("utf-8", b"INPUT", 0, 1, "no reason")
    raise AssertionError
