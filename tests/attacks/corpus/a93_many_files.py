"""Fills the disk with many files, each below the limit of one."""

NUMBER, NAME, BY = 93, "many-files", "J"
OUTCOMES = ("failed", "rejected", "timeout")


def centre(x):
    number = 0
    while True:
        with open(f"part{number}", "wb") as file:
            file.write(b"0" * 30_000_000)
        number += 1
