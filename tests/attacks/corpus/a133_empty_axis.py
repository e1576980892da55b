"""No bytes at all, and a sum along the empty axis is gigabytes of the judge's memory."""

NUMBER, NAME, BY = 133, "empty-axis", "J"
OUTCOMES = ("rejected",)


def centre(x):
    import numpy as np

    return np.empty((2**28, 2, 0))
