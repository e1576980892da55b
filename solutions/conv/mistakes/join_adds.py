"""Adds the skip to the decoder's features, as a residual block does."""

TASK = "skips"
HINT = """Your join gives as many channels as it got. Two kinds of skip share a name: which of them adds,
and which keeps both?"""


def unet_join(skip, up):
    if len(skip) != len(up) or skip.shape[2] < up.shape[2] or skip.shape[3] < up.shape[3]:
        raise ValueError(f"skip must have up's N and at least its H and W, got {skip.shape} and {up.shape}")
    top, left = (skip.shape[2] - up.shape[2]) // 2, (skip.shape[3] - up.shape[3]) // 2
    return skip[:, :, top : top + up.shape[2], left : left + up.shape[3]] + up
