"""The wrong precision."""

NUMBER, NAME, BY = 19, "dtype", "J"
OUTCOMES = ("failed",)


def centre(x):
    return (x - x.mean(axis=0)).astype(np.float32)
