"""Puts the decoder's channels before the skip's."""

TASK = "skips"
HINT = """All channels are there, in another order. The next layer's weights are bound to it: which of the
two comes first in the handout?"""


def unet_join(skip, up):
    if len(skip) != len(up) or skip.shape[2] < up.shape[2] or skip.shape[3] < up.shape[3]:
        raise ValueError(f"skip must have up's N and at least its H and W, got {skip.shape} and {up.shape}")
    top, left = (skip.shape[2] - up.shape[2]) // 2, (skip.shape[3] - up.shape[3]) // 2
    return np.concatenate([up, skip[:, :, top : top + up.shape[2], left : left + up.shape[3]]], axis=1)
