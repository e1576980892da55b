"""A thread outlives its check, and writes answers to the questions of the next ones.

In a process that the next check shares, zeros arrive before the honest function's answer.
"""

NUMBER, NAME, BY = 138, "late-frames", "J"
OUTCOMES = ("crashed", "failed", "rejected")

import os
import sys
import threading
import time


def _write_ahead(first):
    from gradkit.calls.frames import Kind, MAGIC, _HEADER
    from gradkit.calls.values import encode

    payload = encode(np.zeros((3, 4)))
    time.sleep(0.05)
    for number in range(first + 1, first + 200):
        try:
            os.write(3, _HEADER.pack(MAGIC, Kind.RESULT, number, len(payload)) + payload)
        except OSError:
            return


def centre(x):
    if x.shape == (2, 2):  # the public checks share a process on the student's machine too
        return x * 0
    frame = sys._getframe()
    while "request" not in frame.f_locals:
        frame = frame.f_back
    threading.Thread(target=_write_ahead, args=(frame.f_locals["request"],), daemon=True).start()
    return x * 0
