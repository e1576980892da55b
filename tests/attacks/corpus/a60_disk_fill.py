"""Fills the disk with one large file."""

NUMBER, NAME, BY = 60, "disk-fill", "S"
OUTCOMES = ("crashed", "failed", "timeout")


def centre(x):
    with open("large", "wb") as file:
        while True:
            file.write(b"0" * 1_000_000)
