"""Takes neighbouring pixels into a window, whatever the dilation."""

TASK = "conv2d"
HINT = """With a dilation of 1 all is right. With more, the shape is right, but each window is a solid
block. Which pixels does a kernel of two taps touch when the dilation is 3?"""


def conv2d(x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size):
    check_conv(x, w, b)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    k_h, k_w = w.shape[2:]
    padded = _padded(x, (p_h, p_w))
    out = np.empty((len(x), len(w), h_out, w_out), dtype=x.dtype)
    for i in range(h_out):
        for j in range(w_out):
            rows = i * s_h + 1 * np.arange(k_h)[:, None]
            columns = j * s_w + 1 * np.arange(k_w)
            out[:, :, i, j] = np.einsum("ncuv,ocuv->no", padded[:, :, rows, columns], w)
    return out if b is None else out + b[:, None, None]
