"""All sines first, then all cosines, instead of interleaved pairs."""

TASK = "positions"
HINT = """With d_model = 2 your table is right; with more columns it has the right numbers in other
places. In the formula, which columns belong to the pair i = 1? In your table, how far apart do a
frequency's sine and cosine stand?"""


def sinusoidal_positions(n_positions, d_model, *, base=10000.0, dtype=torch.float32):
    positions = torch.arange(n_positions, dtype=torch.float64)
    frequencies = base ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    angles = positions[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=-1).to(dtype)
