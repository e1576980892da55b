"""Uses the column as i in the exponent, so a sine and its cosine have different frequencies."""

TASK = "positions"
HINT = """The first column is right, and from the second on the waves are too slow. The i of the
formula counts pairs, not columns (the notes are loose here): which exponent do columns 2 and 3
share? With one pair only, the cosine of position 1 should be cos(1)."""


def sinusoidal_positions(n_positions, d_model, *, base=10000.0, dtype=torch.float32):
    positions = torch.arange(n_positions, dtype=torch.float64)
    columns = torch.arange(d_model, dtype=torch.float64)
    angles = positions[:, None] * base ** (-2 * columns / d_model)
    return torch.where(columns % 2 == 0, angles.sin(), angles.cos()).to(dtype)
