"""Never adds the bias."""

TASK = "conv2d"
HINT = """Without a bias all is right; with one, every channel of the output is off by a constant of its
own. Which argument have you not used yet?"""


def conv2d(x, w, b=None, *, right=conv2d, **settings):
    check_conv(x, w, b)
    return right(x, w, None, **settings)
