"""Prints terminal codes, HTML and NUL."""

NUMBER, NAME, BY = 72, "output-injection", "J"
OUTCOMES = ("failed",)


def centre(x):
    print("\x1b[2J\x1b[32mPASSED\x1b[0m \0 <script>alert(1)</script> \u202egnol")
    return x * 0
