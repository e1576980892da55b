"""Allocates until something gives way."""

NUMBER, NAME, BY = 58, "memory-hog", "S"
OUTCOMES = ("crashed", "failed", "timeout")


def centre(x):
    held = []
    while True:
        held.append(np.ones(10_000_000))
