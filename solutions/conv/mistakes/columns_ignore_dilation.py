"""Collects solid blocks, whatever the dilation."""

TASK = "im2col"
HINT = """With a dilation of 1 all is right. With more, the shape is right, but the rows of a column are
neighbours in the image. How far apart are the pixels under tap v and tap v + 1?"""


def im2col(x, kernel, *, stride=1, padding=0, dilation=1, size=output_size):
    if x.ndim != 4:
        raise ValueError(f"x must have shape (N, C, H, W), got {x.shape}")
    (k_h, k_w), (s_h, s_w), (p_h, p_w) = pair(kernel), pair(stride), pair(padding)
    h_out, w_out = grid(x.shape[2:], (k_h, k_w), stride, padding, dilation, size)
    n, channels = x.shape[:2]
    padded = _padded(x, (p_h, p_w))
    cols = np.empty((n, channels, k_h, k_w, h_out, w_out), dtype=x.dtype)
    for u, v in np.ndindex(k_h, k_w):
        cols[:, :, u, v] = _tap(padded, (u, v), (h_out, w_out), (s_h, s_w))
    return cols.reshape(n, channels * k_h * k_w, h_out * w_out)
