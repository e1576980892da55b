"""Counts positions from 1."""

TASK = "positions"
HINT = """Every row of yours is a right row, of another position: your row p is the one due in row p
+ 1. What are the sine and the cosine of angle 0, and which token's row should show them?"""


def sinusoidal_positions(n_positions, d_model, *, base=10000.0, dtype=torch.float32):
    positions = torch.arange(1, n_positions + 1, dtype=torch.float64)
    frequencies = base ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    angles = positions[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(-2).to(dtype)
