"""Leaves a daemon behind that goes on after the grade."""

NUMBER, NAME, BY = 65, "daemon", "S"
OUTCOMES = ("failed",)

import os


def centre(x):
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    pass
            os._exit(0)
    except OSError:
        pass
    return x * 0
