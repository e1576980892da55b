"""Infinities, negative zeros and the smallest numbers there are."""

NUMBER, NAME, BY = 18, "inf-denormal", "J"
OUTCOMES = ("failed",)


def centre(x):
    odd = np.array([np.inf, -np.inf, -0.0, 5e-324])
    return np.resize(odd, x.shape)
