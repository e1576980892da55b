"""Recurses without a limit."""

NUMBER, NAME, BY = 62, "recursion", "C"
OUTCOMES = ("crashed", "failed", "timeout")

import sys


def centre(x):
    sys.setrecursionlimit(10**9)

    def deeper(n):
        return deeper(n + 1)

    return deeper(0)
