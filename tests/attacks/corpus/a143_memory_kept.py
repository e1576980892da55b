"""Takes all the memory that a worker may have, and keeps it; the honest function needs some.

In a process that the next check shares, there is none left.
"""

NUMBER, NAME, BY = 143, "memory-kept", "J"
OUTCOMES = ("crashed", "failed", "rejected")

_kept = []
_honest = standardise


def centre(x):
    if x.shape != (2, 2):  # the public checks share a process on the student's machine too
        size = 1 << 32
        while size > 1 << 20:
            try:
                _kept.append(np.empty(size, np.uint8))
            except MemoryError:
                size //= 2
    return x * 0


def standardise(x, *, eps=1e-5):
    room = np.empty(8 << 20, np.uint8)
    room[: len(x)] = 0
    return _honest(x, eps=eps)
