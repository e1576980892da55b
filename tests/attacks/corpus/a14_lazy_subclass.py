"""An object that becomes an array only when asked, and another one each time."""

NUMBER, NAME, BY = 14, "lazy-subclass", "C"
OUTCOMES = ("failed", "rejected")


class Lazy:
    def __init__(self, x):
        self.shape, self.dtype, self.ndim = x.shape, x.dtype, x.ndim

    def __array__(self, dtype=None, copy=None):
        print("ESCAPED: somebody else's code asked for the values")
        return np.zeros(self.shape)

    def numpy(self):
        return self.__array__()

    detach = cpu = numpy


def centre(x):
    return Lazy(x)
