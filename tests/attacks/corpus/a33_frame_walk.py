"""Walks its callers' frames for answers."""

NUMBER, NAME, BY = 33, "frame-walk", "C"
OUTCOMES = ("failed",)

import sys


def centre(x):
    frame = sys._getframe()
    while frame is not None:
        for name, value in {**frame.f_globals, **frame.f_locals}.items():
            if "reference" in name.lower() or "solution" in name.lower() or "CANARY" in repr(value)[:10_000]:
                print("ESCAPED: found", name)
        frame = frame.f_back
    return x * 0
