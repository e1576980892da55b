"""Reads through a null pointer."""

NUMBER, NAME, BY = 63, "segfault", "C"
OUTCOMES = ("crashed",)

import ctypes


def centre(x):
    return ctypes.string_at(0)
