"""An object that says yes to everything: equal, small, true, an array, and its own result."""

NUMBER, NAME, BY = 109, "says-yes", "J"
OUTCOMES = ("rejected",)


class Yes:
    def __getattr__(self, name):
        return self

    def __call__(self, *args, **kwargs):
        return self

    __add__ = __sub__ = __rsub__ = __truediv__ = __getitem__ = __abs__ = __neg__ = __call__
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = lambda self, other: True

    def __len__(self):
        return 3


def centre(x):
    return Yes()
