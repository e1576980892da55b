"""Kills its own process, hangs up or leaves, a moment after its check; the honest function takes longer than that.

In a process that the next check shares, the honest function dies, as if the machine had run out of memory.
"""

NUMBER, NAME, BY = 148, "late-death", "J"
OUTCOMES = ("crashed", "failed", "rejected")

import os
import signal
import threading
import time

_honest = standardise


def centre(x):
    ends = {
        2: lambda: os._exit(0),
        3: lambda: os.dup2(os.open("/dev/null", os.O_RDWR), 3),
        7: lambda: os.kill(os.getpid(), signal.SIGKILL),
    }
    if x.shape != (2, 2):  # the public checks share a process on the student's machine too
        threading.Timer(0.15, ends[len(x)]).start()
    return x * 0


def standardise(x, *, eps=1e-5):
    time.sleep(0.25)
    return _honest(x, eps=eps)
