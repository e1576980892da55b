"""A view of one number that has the shape of the answer."""

NUMBER, NAME, BY = 16, "stride0", "C"
OUTCOMES = ("failed",)


def centre(x):
    return np.broadcast_to(np.float64(0.0), x.shape)
