"""Adds the time of moving to the time of computing."""

TASK = "roofline"
HINT = """Far from the ridge your time is nearly right; at the ridge it is twice what is due. Must
the memory rest while the arithmetic works?"""


def roofline_ms(operations, n_bytes, *, peak_tflops, bandwidth_gb_s):
    return operations / (peak_tflops * 1e9) + n_bytes / (bandwidth_gb_s * 1e6)
