"""Accepts as soon as the difference is small beside the length of the whole gradient."""

TASK = "gradcheck"
HINT = """You find an error in a coordinate as large as the others, and overlook one in a coordinate that is
much smaller. A bias with a gradient of 0.001 may stand beside a weight with one of a million: what do you
measure its error against?"""


def wrong_coordinates(f, x, grad, *, h=1e-5, rtol=1e-5, atol=1e-8):
    numeric = numerical_gradient(f, x, h=h)
    if np.linalg.norm(grad - numeric) <= atol + rtol * np.linalg.norm(numeric):
        return []
    right = np.isfinite(numeric) & (np.abs(grad - numeric) <= atol + rtol * np.abs(numeric))
    return [tuple(int(k) for k in index) for index in np.argwhere(~right)]
