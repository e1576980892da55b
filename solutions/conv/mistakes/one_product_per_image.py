"""Calls matmul once for each image."""

TASK = "im2col"
HINT = """The numbers are right, with one call of matmul for each image. What does matmul make of a matrix
(m, k) and a stack of matrices (N, k, n)? Or: what else could be put side by side?"""


def conv2d_im2col(
    x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size, matmul=np.matmul
):
    check_conv(x, w, b)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    cols = im2col(x, w.shape[2:], stride=stride, padding=padding, dilation=dilation, size=size)
    rows = w.reshape(len(w), -1)
    out = np.stack([matmul(rows, columns) for columns in cols]).reshape(len(x), len(w), h_out, w_out)
    return out if b is None else out + b[:, None, None]
