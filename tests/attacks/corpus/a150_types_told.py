"""Writes its inputs into texts of the form whose types are told, and into the names of attributes and parameters."""

NUMBER, NAME, BY = 150, "types-told", "J"
OUTCOMES = ("failed",)

LEAK = "IN" + "PUT"


def centre(x):
    if len(x) == 2:
        raise TypeError(f"{LEAK} {x.tolist()} must be Tensor, not float")
    if len(x) == 3:
        raise AttributeError(f"'float' object has no attribute '{LEAK}'")
    raise TypeError(f"unsupported operand type(s) for +: '{LEAK}' and 'float'")
