"""Works in half precision and hands over the dtype that is due."""

NUMBER, NAME, BY = 91, "precision-drop", "J"
OUTCOMES = ("failed",)


def centre(x):
    half = (x / 3).astype(np.float16)
    return 3 * (half - half.mean(axis=0)).astype(x.dtype)
