"""A list that lies about its length, and numbers that lie about their value."""

NUMBER, NAME, BY = 116, "lying-containers", "C"
OUTCOMES = ("rejected", "timeout")


class Long(list):
    def __len__(self):
        return 1 << 40


class Liar(float):
    def __float__(self):
        return 0.0

    def __eq__(self, other):
        return True

    __hash__ = float.__hash__


def centre(x):
    return Long([1.0]) if len(x) == 3 else [Liar(7.0)] * len(x)
