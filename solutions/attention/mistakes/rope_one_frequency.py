"""Turns every pair of features at the frequency of the first."""

TASK = "relative"
HINT = """With two features you are right; with more, every pair turns as fast as the first. If all
hands of a clock went round at the same speed, how far could it count? What does theta_i depend
on?"""


def apply_rope(x, positions, *, base=10000.0):
    angles = positions[:, None].to(x.dtype)
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
