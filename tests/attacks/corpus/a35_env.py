"""Reads the environment for paths and secrets."""

NUMBER, NAME, BY = 35, "env", "C"
OUTCOMES = ("failed",)

import os


def centre(x):
    for name, value in os.environ.items():
        if "CANARY" in value or name.startswith(("AWS", "GRADESCOPE", "GITHUB", "PYTEST")):
            print("ESCAPED:", name, value)
    return x * 0
