"""Looks for coordinates with a large error; a NaN is not larger than anything."""

TASK = "gradcheck"
HINT = """Wrong numbers are found, and a NaN in the gradient passes. Is NaN > 0.1 true? Is NaN <= 0.1? Do you
collect what is shown to be wrong, or keep only what is shown to be right?"""


def wrong_coordinates(f, x, grad, *, h=1e-5, rtol=1e-5, atol=1e-8):
    numeric = numerical_gradient(f, x, h=h)
    wrong = np.abs(grad - numeric) > atol + rtol * np.abs(numeric)
    return [tuple(int(k) for k in index) for index in np.argwhere(wrong)]
