"""Raises exceptions that can't be made again from a text."""

NUMBER, NAME, BY = 114, "odd-exceptions", "J"
OUTCOMES = ("failed", "rejected")


LEAK = "IN" + "PUT"  # the lines themselves are shown, so the word does not stand in them


def centre(x):
    if len(x) == 2:
        raise ExceptionGroup("several", [ValueError(), OSError(2, LEAK)])
    if len(x) == 3:
        raise UnicodeDecodeError("utf-8", LEAK.encode(), 0, 1, "no reason")
    raise AssertionError
