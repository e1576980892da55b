"""Takes a tolerance that is infinite for one."""

TASK = "gradcheck"
HINT = """All is right where f is finite. Where the central difference is infinite you accept every claim: how large is
your tolerance there, and is inf <= inf?"""


def wrong_coordinates(f, x, grad, *, h=1e-5, rtol=1e-5, atol=1e-8):
    numeric = numerical_gradient(f, x, h=h)
    right = np.abs(grad - numeric) <= atol + rtol * np.abs(numeric)
    return [tuple(int(k) for k in index) for index in np.argwhere(~right)]
