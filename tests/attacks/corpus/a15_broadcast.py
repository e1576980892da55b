"""One number where a whole array is due."""

NUMBER, NAME, BY = 15, "broadcast", "J"
OUTCOMES = ("failed",)


def centre(x):
    return np.zeros((1, 1))
