"""Attaches to its parent."""

NUMBER, NAME, BY = 41, "ptrace", "S"
OUTCOMES = ("failed",)

import ctypes
import os


def centre(x):
    if ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0) == 0:
        print("ESCAPED: traced the parent")
    return x * 0
