"""Runs a shell."""

NUMBER, NAME, BY = 51, "exec-shell", "S"
OUTCOMES = ("failed",)

import os
import subprocess


def centre(x):
    try:
        print("ESCAPED:", subprocess.run(["/bin/sh", "-c", "id"], capture_output=True).stdout)
    except OSError:
        pass
    try:
        os.execv("/bin/sh", ["sh", "-c", "echo ESCAPED"])
    except OSError:
        pass
    return x * 0
