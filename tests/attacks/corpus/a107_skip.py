"""Raises what makes a test runner skip a test."""

NUMBER, NAME, BY = 107, "skip", "C"
OUTCOMES = ("failed", "crashed")


def centre(x):
    import unittest

    if len(x) == 3:
        raise unittest.SkipTest("not run here")

    class Skipped(BaseException):
        __module__ = "pytest"

    raise Skipped("not run here")
