"""Puts its inputs into an exception."""

NUMBER, NAME, BY = 47, "message-leak", "R"
OUTCOMES = ("failed",)


LEAK = "IN" + "PUT"  # the line itself is shown, so the word does not stand in it


def centre(x):
    raise ValueError(f"{LEAK} {x.tolist()}")
