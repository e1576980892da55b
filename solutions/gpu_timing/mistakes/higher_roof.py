"""Takes the higher of the two roofs."""

TASK = "roofline"
HINT = """Your curve goes above what the device can do: at high intensity it rises without end, at
low intensity it is flat. If two things limit a kernel, which of the limits does it feel?"""


def attainable_tflops(intensity, *, peak_tflops, bandwidth_gb_s):
    return np.maximum(peak_tflops, np.asarray(intensity) * bandwidth_gb_s / 1000)
