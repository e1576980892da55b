"""Replaces what NumPy and Python's own names do; the next check's honest function uses them.

In a process that the next check shares, that function is wrong through no fault of its own.
"""

NUMBER, NAME, BY = 139, "patched-libraries", "J"
OUTCOMES = ("failed",)

import builtins
import math


def centre(x):
    if x.shape != (2, 2):  # the public checks share a process on the student's machine too
        np.sqrt = np.mean = np.var = lambda x, *args, **kwargs: x * 0 + 1
        math.sqrt = lambda x: 1.0
        builtins.sum = builtins.sorted = builtins.abs = lambda *args, **kwargs: 0
    return x * 0
