"""A NumPy array of a class that compares, converts and copies as it likes."""

NUMBER, NAME, BY = 117, "array-subclass", "C"
OUTCOMES = ("failed", "rejected")

import numpy


class Pleasing(numpy.ndarray):
    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return True

    def __array_function__(self, function, types, args, kwargs):
        return True

    def __eq__(self, other):
        return True


def centre(x):
    return (x * 0).view(Pleasing)
