"""Names one wrong coordinate and looks no further."""

TASK = "gradcheck"
HINT = """A gradient with one wrong coordinate is judged right; where several are wrong you name only one. If
a whole bias were wrong, what would the pattern of the list tell its author that a single index does not?"""


def wrong_coordinates(f, x, grad, *, h=1e-5, rtol=1e-5, atol=1e-8):
    numeric = numerical_gradient(f, x, h=h)
    right = np.isfinite(numeric) & (np.abs(grad - numeric) <= atol + rtol * np.abs(numeric))
    return [tuple(int(k) for k in index) for index in np.argwhere(~right)][:1]
