"""Raises SystemExit inside the function."""

NUMBER, NAME, BY = 2, "sysexit-call", "C"
OUTCOMES = ("failed",)


def centre(x):
    raise SystemExit(0)
