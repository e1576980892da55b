"""Opens files until there are no more descriptors, and keeps them; the honest function opens one.

In a process that the next check shares, it can't.
"""

NUMBER, NAME, BY = 145, "descriptors-kept", "J"
OUTCOMES = ("failed",)

_kept = []
_honest = standardise


def centre(x):
    if x.shape != (2, 2):  # the public checks share a process on the student's machine too
        try:
            while True:
                _kept.append(open("/dev/null"))
        except OSError:
            pass
    return x * 0


def standardise(x, *, eps=1e-5):
    with open("/dev/null") as file:
        file.read()
    return _honest(x, eps=eps)
