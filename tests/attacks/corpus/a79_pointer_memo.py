"""Keeps answers by the address of their input."""

NUMBER, NAME, BY = 79, "pointer-memo", "C"
OUTCOMES = ("failed",)


answers = {}


def centre(x):
    key = x.ctypes.data, id(x)
    if key in answers:
        return answers[key]
    answers[key] = x * 0
    return answers[key]
