"""Fails in one way or another by a bit of its input, to read it from the outcomes."""

NUMBER, NAME, BY = 46, "oracle-bits", "R"
OUTCOMES = ("crashed", "failed", "not_written")

import os


def centre(x):
    bits = int(abs(float(x[0, 0])) * 2**20)
    if bits & 1:
        raise ValueError("one")
    if bits & 2:
        raise NotImplementedError
    if bits & 4:
        os._exit(bits & 127)
    return x * 0
