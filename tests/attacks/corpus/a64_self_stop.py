"""Stops itself."""

NUMBER, NAME, BY = 64, "self-stop", "C"
OUTCOMES = ("failed", "timeout")

import os
import signal


def centre(x):
    os.kill(os.getpid(), signal.SIGSTOP)
    return x * 0
