"""Lets a child hold the channel open after its own end."""

NUMBER, NAME, BY = 66, "socket-holder", "S"
OUTCOMES = ("crashed", "failed", "timeout")

import os
import time


def centre(x):
    try:
        if os.fork() == 0:
            time.sleep(3600)
        print("ESCAPED: a child was made")
    except OSError:
        pass
    os._exit(0)
