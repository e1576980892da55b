"""Calls matmul once for each place of the kernel."""

TASK = "im2col"
HINT = """The numbers are right, with one call of matmul for each place, as in the loop. The columns are
all there from the beginning: what keeps you from multiplying them together?"""


def conv2d_im2col(
    x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size, matmul=np.matmul
):
    check_conv(x, w, b)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    cols = im2col(x, w.shape[2:], stride=stride, padding=padding, dilation=dilation, size=size)
    rows = w.reshape(len(w), -1)
    out = np.stack([matmul(rows, cols[:, :, [place]])[:, :, 0] for place in range(h_out * w_out)], axis=2)
    out = out.reshape(len(x), len(w), h_out, w_out)
    return out if b is None else out + b[:, None, None]
