"""Threads that keep the processor busy and hold the interpreter's lock, from one check into the next.

In a process that the next check shares, its honest function gets no turn before the time limit.
"""

NUMBER, NAME, BY = 144, "processor-kept", "J"
OUTCOMES = ("failed", "timeout")

import threading
import time


def _hold():
    time.sleep(0.01)
    sum(range(10**11))  # one step for the interpreter, minutes for the clock


def centre(x):
    if len(x) == 7:  # the last of the hidden ones
        threading.Thread(target=_hold, daemon=True).start()
    return x * 0
