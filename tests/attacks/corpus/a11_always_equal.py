"""An object that equals everything."""

NUMBER, NAME, BY = 11, "always-equal", "C"
OUTCOMES = ("rejected",)


class Yes:
    def __eq__(self, other):
        return True

    __ne__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, other: True
    __array__ = lambda self, *args, **kwargs: np.zeros(1)


def centre(x):
    return Yes()
