"""Adds eps to the standard deviation."""

TASK = "fuse"
HINT = """With a small eps your result is nearly right. It is off by more the larger eps is. To
which of the two is eps added, the variance or its root?"""


def fused_add_layer_norm(load, store, n_rows, n_columns, *, rows_per_block, eps=1e-5):
    if rows_per_block < 1:
        raise ValueError(f"rows_per_block must be at least 1, got {rows_per_block}")
    gain, bias = load("gain"), load("bias")
    for start in range(0, n_rows, rows_per_block):
        stop = min(start + rows_per_block, n_rows)
        s = load("x", start, stop) + load("residual", start, stop)  # (rows, n_columns)
        centred = s - s.mean(axis=1, keepdims=True)
        variance = np.mean(centred**2, axis=1, keepdims=True)
        store(start, stop, centred / (np.sqrt(variance) + eps) * gain + bias)
