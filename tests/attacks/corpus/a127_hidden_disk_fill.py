"""Fills the disk in a folder whose path is too long to be named."""

NUMBER, NAME, BY = 127, "hidden-disk-fill", "J"
OUTCOMES = ("failed", "rejected", "timeout")


import os
import time


def centre(x):
    if len(x) != 7:  # once is enough
        return x * 0
    for _ in range(20):
        os.mkdir("n" * 250)
        os.chdir("n" * 250)
    for i in range(6):
        with open(f"f{i}", "wb") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, 60 << 20)  # at once, where the file system can
            except OSError:
                file.write(bytes(60 << 20))
    time.sleep(10)
    return x * 0
