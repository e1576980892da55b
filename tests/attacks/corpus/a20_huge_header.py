"""Claims an answer of 2^60 bytes."""

NUMBER, NAME, BY = 20, "huge-header", "J"
OUTCOMES = ("rejected",)

import os


def centre(x):
    from gradkit.calls.frames import Kind, MAGIC, _HEADER

    os.write(3, _HEADER.pack(MAGIC, Kind.RESULT, 3, 1 << 60))
    return x * 0
