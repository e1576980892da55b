"""A lone surrogate in an exception: it has no place in the judge's JSON."""

NUMBER, NAME, BY = 122, "surrogate-message", "J"
OUTCOMES = ("failed",)


def centre(x):
    raise ValueError("\ud800")
