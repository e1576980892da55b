"""Allows the same error to a slope of a million and to one of a thousandth."""

TASK = "gradcheck"
HINT = """Gradients of ordinary size are judged well, but a right gradient of about a million, rounded in its
sixth digit, is rejected. How exact can a number of that size be, and which of the two tolerances grows with
it?"""


def wrong_coordinates(f, x, grad, *, h=1e-5, rtol=1e-5, atol=1e-8):
    numeric = numerical_gradient(f, x, h=h)
    right = np.abs(grad - numeric) <= atol
    return [tuple(int(k) for k in index) for index in np.argwhere(~right)]
