"""Compares every kernel with the memory's peak."""

TASK = "roofline"
HINT = """For memory-bound kernels your fraction is right; for compute-bound ones it is too small.
What do those wait for?"""


def utilisation(operations, n_bytes, elapsed_ms, *, peak_tflops, bandwidth_gb_s):
    fastest = n_bytes / (bandwidth_gb_s * 1e6)
    return fastest / elapsed_ms
