"""An integer that Python refuses to print."""

NUMBER, NAME, BY = 104, "huge-integer", "J"
OUTCOMES = ("rejected",)


def centre(x):
    return [1 << 32_000, {1 << 32_000: -(1 << 32_000)}]
