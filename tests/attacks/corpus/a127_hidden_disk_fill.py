"""Fills the disk in a folder whose path is too long to be named."""

NUMBER, NAME, BY = 127, "hidden-disk-fill", "J"
OUTCOMES = ("rejected", "timeout")


import os
import time


def centre(x):
    for _ in range(20):
        os.mkdir("n" * 250)
        os.chdir("n" * 250)
    for i in range(6):
        with open(f"f{i}", "wb") as file:
            for _ in range(60):
                file.write(bytes(1 << 20))
    time.sleep(1)
    return x * 0
