"""Rewrites the code of the other function, which is honest, once it runs in a hidden check.

In a process that the next check shares, what is called is no longer what was handed in.
"""

NUMBER, NAME, BY = 141, "rewritten-function", "J"
OUTCOMES = ("failed",)


def centre(x):
    if x.shape != (2, 2):  # the public checks share a process on the student's machine too
        standardise.__code__ = (lambda x, *, eps=1e-5: x * 0).__code__
    return x * 0
