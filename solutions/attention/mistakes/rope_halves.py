"""Pairs feature i with feature i + d/2 instead of pairing neighbours."""

TASK = "relative"
HINT = """With two features you are right; with more, the wrong ones are turned together: yours
pairs each feature with the one d/2 further on. Both ways exist in the wild, and a model trained
with one can't be run with the other. Which partner does feature 0 have here?"""


def apply_rope(x, positions, *, base=10000.0):
    d = x.shape[-1]
    frequencies = base ** (-torch.arange(0, d, 2, dtype=x.dtype) / d)
    angles = positions[:, None].to(x.dtype) * frequencies
    cos, sin = angles.cos(), angles.sin()
    first, second = x.chunk(2, dim=-1)
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)
