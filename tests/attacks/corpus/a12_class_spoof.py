"""An object that claims another class."""

NUMBER, NAME, BY = 12, "class-spoof", "C"
OUTCOMES = ("crashed", "failed", "rejected")


class Claims:
    shape, dtype, ndim = (2, 2), np.dtype(float), 2

    @property
    def __class__(self):
        return np.ndarray


def centre(x):
    return Claims()
