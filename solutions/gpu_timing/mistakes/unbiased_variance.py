"""Divides the squares by one less than the number of columns."""

TASK = "fuse"
HINT = """Your rows have the right shape and are too small by a constant factor, the more the fewer
columns there are. By how many does a biased variance divide?"""


def fused_add_layer_norm(load, store, n_rows, n_columns, *, rows_per_block, eps=1e-5):
    if rows_per_block < 1:
        raise ValueError(f"rows_per_block must be at least 1, got {rows_per_block}")
    gain, bias = load("gain"), load("bias")
    for start in range(0, n_rows, rows_per_block):
        stop = min(start + rows_per_block, n_rows)
        s = load("x", start, stop) + load("residual", start, stop)  # (rows, n_columns)
        centred = s - s.mean(axis=1, keepdims=True)
        variance = np.var(s, axis=1, ddof=1, keepdims=True)
        store(start, stop, centred / np.sqrt(variance + eps) * gain + bias)
