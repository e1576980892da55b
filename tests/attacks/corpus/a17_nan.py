"""NaN everywhere, for comparisons that are false both ways."""

NUMBER, NAME, BY = 17, "nan", "J"
OUTCOMES = ("failed",)


def centre(x):
    return x * np.nan
