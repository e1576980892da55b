"""Leaves files for the next check: half the disk that a worker may fill, its inputs, a module of a common name.

In a folder that the next check shares, it would be stopped for what it did not write, or read what it may not know.
"""

NUMBER, NAME, BY = 149, "left-files", "J"
OUTCOMES = ("failed",)

import pathlib
import sys

_honest = standardise


def centre(x):
    if x.shape == (2, 2):
        for path in pathlib.Path.cwd().glob("input*"):
            print("ESCAPED: a hidden input was left here:", path.read_text())
        return x * 0
    pathlib.Path(f"input{len(x)}").write_text(repr(x.tolist()))
    pathlib.Path("large").write_bytes(bytes(30 << 20))
    pathlib.Path("statistics.py").write_text("raise ValueError\n")
    sys.path.insert(0, str(pathlib.Path.cwd()))
    return x * 0


def standardise(x, *, eps=1e-5):
    import statistics

    if x.shape == (50, 4):
        for path in pathlib.Path.cwd().glob("input*"):
            print("ESCAPED: a hidden input was left here:", path.read_text())
            raise ValueError
    assert statistics.fmean([1.0]) == 1.0
    return _honest(x, eps=eps)
