"""Arrays of the right values in thirty-two dimensions, and with no values at all."""

NUMBER, NAME, BY = 119, "many-dimensions", "J"
OUTCOMES = ("failed",)


def centre(x):
    right = x - x.mean(axis=0)
    return np.zeros((0, 1 << 27)) if len(x) == 2 else right.reshape((1,) * 30 + right.shape)
