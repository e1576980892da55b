"""Leaves a hook behind that the interpreter calls in every function: it zeroes the honest function's input.

In a process that the next check shares, it sees and changes what that check hands in.
"""

NUMBER, NAME, BY = 147, "profile-hook", "J"
OUTCOMES = ("failed",)

import sys
import threading


def _hook(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "standardise":
        x = frame.f_locals["x"]
        if x.shape == (50, 4):
            print("ESCAPED: it watches a public check after a hidden one")
        x.flags.writeable = True
        x[:] = 0


def centre(x):
    if x.shape != (2, 2):  # the public checks share a process on the student's machine too
        sys.setprofile(_hook)
        threading.setprofile(_hook)
    return x * 0
