"""Raises what ends a loop quietly."""

NUMBER, NAME, BY = 113, "stop-iteration", "J"
OUTCOMES = ("failed",)


def centre(x):
    raise StopIteration
