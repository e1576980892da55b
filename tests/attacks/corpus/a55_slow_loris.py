"""Sends its answer a byte at a time."""

NUMBER, NAME, BY = 55, "slow-loris", "J"
OUTCOMES = ("rejected", "timeout")

import os
import time


def centre(x):
    while True:
        os.write(3, b"G")
        time.sleep(0.5)
