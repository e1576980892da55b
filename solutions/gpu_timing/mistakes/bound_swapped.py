"""Calls a kernel by the resource that it needs less of."""

TASK = "roofline"
HINT = """Every one of your answers is the opposite of what is due. If moving takes longer than
computing, what does the kernel wait for?"""


def bound(operations, n_bytes, *, peak_tflops, bandwidth_gb_s):
    moving = n_bytes / (bandwidth_gb_s * 1e6)
    return "memory" if moving < operations / (peak_tflops * 1e9) else "compute"
