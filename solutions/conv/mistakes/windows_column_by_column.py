"""Numbers the windows down the columns of the output instead of along its rows."""

TASK = "im2col"
HINT = """Each column is a right window, but they are in another order. Column i W_out + j: which window
stands in column 1, the one to the right of the first or the one below?"""


def im2col(x, kernel, *, stride=1, padding=0, dilation=1, size=output_size):
    if x.ndim != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {x.shape}")
    (k_h, k_w), (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(kernel), pair(stride), pair(padding), pair(dilation)
    h_out, w_out = grid(x.shape[2:], (k_h, k_w), stride, padding, dilation, size)
    n, channels = x.shape[:2]
    padded = _padded(x, (p_h, p_w))
    cols = np.empty((n, channels, k_h, k_w, w_out, h_out), dtype=x.dtype)
    for u, v in np.ndindex(k_h, k_w):
        cols[:, :, u, v] = _tap(padded, (u, v), (h_out, w_out), (s_h, s_w), (d_h, d_w)).swapaxes(2, 3)
    return cols.reshape(n, channels * k_h * k_w, h_out * w_out)
