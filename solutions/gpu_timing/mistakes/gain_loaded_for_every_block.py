"""Loads gain and bias once for each block."""

TASK = "fuse"
HINT = """Your result is right, and a little too much is loaded, the more blocks there are the
more. Which of your loads give the same numbers every time?"""


def fused_add_layer_norm(load, store, n_rows, n_columns, *, rows_per_block, eps=1e-5):
    if rows_per_block < 1:
        raise ValueError(f"rows_per_block must be at least 1, got {rows_per_block}")
    for start in range(0, n_rows, rows_per_block):
        gain, bias = load("gain"), load("bias")
        stop = min(start + rows_per_block, n_rows)
        s = load("x", start, stop) + load("residual", start, stop)  # (rows, n_columns)
        centred = s - s.mean(axis=1, keepdims=True)
        variance = np.mean(centred**2, axis=1, keepdims=True)
        store(start, stop, centred / np.sqrt(variance + eps) * gain + bias)
