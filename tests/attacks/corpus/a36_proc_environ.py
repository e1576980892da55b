"""Reads environments and command lines of other processes."""

NUMBER, NAME, BY = 36, "proc-environ", "S"
OUTCOMES = ("failed",)
NEEDS_LANDLOCK = True  # without it shared folders and command lines are open, as SECURITY.md says

import os


def centre(x):
    for pid in (1, os.getppid(), *range(2, 400)):
        for name in ("environ", "cmdline", "maps"):
            try:
                print("ESCAPED:", pid, open(f"/proc/{pid}/{name}", "rb").read(200))
            except OSError:
                pass
    return x * 0
