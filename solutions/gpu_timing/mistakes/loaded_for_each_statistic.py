"""Loads x and residual once for the mean and once more for the rest."""

TASK = "fuse"
HINT = """Your result is right, and too much is loaded: nearly twice what is due. A block that has
been loaded is on the chip. What do you fetch again?"""


def fused_add_layer_norm(load, store, n_rows, n_columns, *, rows_per_block, eps=1e-5):
    if rows_per_block < 1:
        raise ValueError(f"rows_per_block must be at least 1, got {rows_per_block}")
    gain, bias = load("gain"), load("bias")
    for start in range(0, n_rows, rows_per_block):
        stop = min(start + rows_per_block, n_rows)
        s = load("x", start, stop) + load("residual", start, stop)  # (rows, n_columns)
        mean = s.mean(axis=1, keepdims=True)
        centred = load("x", start, stop) + load("residual", start, stop) - mean
        variance = np.mean(centred**2, axis=1, keepdims=True)
        store(start, stop, centred / np.sqrt(variance + eps) * gain + bias)
