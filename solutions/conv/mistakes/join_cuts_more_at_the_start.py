"""Rounds up the number of rows and columns cut off at the start."""

TASK = "skips"
HINT = """All is right where an even number of rows and columns is cut off. Of an odd number, where does
the odd one go?"""


def unet_join(skip, up):
    if len(skip) != len(up) or skip.shape[2] < up.shape[2] or skip.shape[3] < up.shape[3]:
        raise ValueError(f"skip must have up's N and at least its H and W, got {skip.shape} and {up.shape}")
    top, left = (skip.shape[2] - up.shape[2] + 1) // 2, (skip.shape[3] - up.shape[3] + 1) // 2
    return np.concatenate([skip[:, :, top : top + up.shape[2], left : left + up.shape[3]], up], axis=1)
