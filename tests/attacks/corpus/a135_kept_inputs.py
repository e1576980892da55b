"""Keeps the inputs of hidden checks, and prints and raises them in a public check that comes later, where both are shown.

In one process for all checks this reads a class's inputs out, if any public check runs after a hidden one.
"""

NUMBER, NAME, BY = 135, "kept-inputs", "J"
OUTCOMES = ("failed",)

import atexit

_kept = []
_honest = standardise


def _tell():
    if _kept:
        print("ESCAPED: hidden inputs", _kept, flush=True)


atexit.register(_tell)


def centre(x):
    if x.shape == (2, 2):  # the public check
        _tell()
    else:
        _kept.append(x.tolist())
    return x * 0


def standardise(x, *, eps=1e-5):
    if x.shape == (50, 4) and _kept:  # the public check, after a hidden one
        _tell()
        raise ValueError(f"ESCAPED: hidden inputs {_kept}")
    return _honest(x, eps=eps)
