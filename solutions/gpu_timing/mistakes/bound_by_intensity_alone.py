"""Compares the intensity with a fixed number, not with the device's ridge."""

TASK = "roofline"
HINT = """Far from the ridge your answers are right, near it they are not, and the same kernel gets
the same answer on every device. What about the device decides where its ridge is?"""


def bound(operations, n_bytes, *, peak_tflops, bandwidth_gb_s):
    return "memory" if operations / n_bytes < 100 else "compute"
