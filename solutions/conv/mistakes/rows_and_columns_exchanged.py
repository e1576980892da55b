"""Uses the first of a pair for columns and the second for rows."""

TASK = "conv2d"
HINT = """Settings given as one number are right, pairs are not. Images are (N, C, H, W): which of H and W
does the first number of a pair belong to?"""


def conv2d(x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size):
    check_conv(x, w, b)
    grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    (s_w, s_h), (p_w, p_h), (d_w, d_h) = pair(stride), pair(padding), pair(dilation)
    k_h, k_w = w.shape[2:]
    padded = _padded(x, (p_h, p_w))
    h_out, w_out = (
        output_size(n, k, stride=s, dilation=d)
        for n, k, s, d in ((padded.shape[2], k_h, s_h, d_h), (padded.shape[3], k_w, s_w, d_w))
    )
    out = np.empty((len(x), len(w), h_out, w_out), dtype=x.dtype)
    for i, j in np.ndindex(h_out, w_out):
        rows, columns = i * s_h + d_h * np.arange(k_h)[:, None], j * s_w + d_w * np.arange(k_w)
        out[:, :, i, j] = np.einsum("ncuv,ocuv->no", padded[:, :, rows, columns], w)
    return out if b is None else out + b[:, None, None]
