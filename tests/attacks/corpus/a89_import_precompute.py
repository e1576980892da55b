"""Looks for the inputs while it is imported, to work ahead."""

NUMBER, NAME, BY = 89, "import-precompute", "J"
OUTCOMES = ("failed",)

import gc

if any(
    isinstance(thing, np.ndarray) and thing.ndim == 2 and thing.shape[1] in (2, 3)
    for thing in gc.get_objects()
):
    print("ESCAPED: an input was here before the start")


def centre(x):
    return x * 0
