"""Divides by milliseconds as if they were seconds."""

TASK = "roofline"
HINT = """Both of your speeds are too small by a factor of a thousand. They are per second. In
which unit is elapsed_ms?"""


def achieved(operations, n_bytes, elapsed_ms):
    return operations / (elapsed_ms * 1e12), n_bytes / (elapsed_ms * 1e9)
