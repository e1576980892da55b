"""Numbers the tokens from 0 instead of using `positions`."""

TASK = "relative"
HINT = """When the tokens sit at 0, 1, 2 ... you are right; when they sit elsewhere you turn them as
if they did. A token that arrives after 100 cached ones: by what angle should it be turned?"""


def apply_rope(x, positions, *, base=10000.0):
    d = x.shape[-1]
    frequencies = base ** (-torch.arange(0, d, 2, dtype=x.dtype) / d)
    angles = torch.arange(x.shape[-2]).to(x.dtype)[:, None] * frequencies
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack([even * cos - odd * sin, even * sin + odd * cos], dim=-1).flatten(-2)
