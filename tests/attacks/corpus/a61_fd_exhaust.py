"""Opens files until it fails."""

NUMBER, NAME, BY = 61, "fd-exhaust", "S"
OUTCOMES = ("crashed", "failed")


def centre(x):
    held = []
    while True:
        held.append(open("/dev/null"))
