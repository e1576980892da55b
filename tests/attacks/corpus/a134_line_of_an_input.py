"""Raises at a line whose number is an input's digits."""

NUMBER, NAME, BY = 134, "line-of-an-input", "S"
OUTCOMES = ("failed",)


def centre(x):
    line = 1_000_000 + int(abs(float(x.flat[0])) * 1e6) % 1_000_000
    exec(compile("\n" * (line - 1) + "raise ValueError", __file__, "exec"))
