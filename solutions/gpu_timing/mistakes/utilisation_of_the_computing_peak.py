"""Compares every kernel with the computing peak."""

TASK = "roofline"
HINT = """For compute-bound kernels your fraction is right; for memory-bound ones it is far too
small, however good they are. Could such a kernel reach the peak that you compare it with?"""


def utilisation(operations, n_bytes, elapsed_ms, *, peak_tflops, bandwidth_gb_s):
    fastest = operations / (peak_tflops * 1e9)
    return fastest / elapsed_ms
