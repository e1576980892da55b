"""Counts GiB of 2^30 bytes."""

TASK = "roofline"
HINT = """Your TFLOP/s are right and your GB/s too few by 7%. How many bytes has a GB in a data
sheet, and how many has a GiB?"""


def achieved(operations, n_bytes, elapsed_ms):
    return operations / (elapsed_ms * 1e9), n_bytes / (elapsed_ms / 1000 * 2**30)
