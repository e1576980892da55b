"""Replaces the functions that encode and send its answers."""

NUMBER, NAME, BY = 26, "patch-transport", "C"
OUTCOMES = ("failed", "rejected")
SPARES_OTHER_TASKS = False  # it breaks the process that its own public checks share

import gradkit.calls.values
import gradkit.calls.runtime


def centre(x):
    gradkit.calls.values.encode = gradkit.calls.runtime.encode = lambda *args: bytearray(b"T")
    return x * 0
