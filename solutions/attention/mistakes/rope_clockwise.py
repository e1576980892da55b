"""Turns the pairs clockwise."""

TASK = "relative"
HINT = """Position 0 is right, lengths are kept, and products depend on the distance; yet every
other token is turned by the opposite angle. Turn the point (1, 0) counter-clockwise by a small
angle: what is the sign of its second coordinate?"""


def apply_rope(x, positions, *, base=10000.0):
    d = x.shape[-1]
    frequencies = base ** (-torch.arange(0, d, 2, dtype=x.dtype) / d)
    angles = -positions[:, None].to(x.dtype) * frequencies
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
