"""Puts its inputs into an exception."""

NUMBER, NAME, BY = 47, "message-leak", "R"
OUTCOMES = ("failed",)


def centre(x):
    raise ValueError(f"INPUT {x.tolist()}")
