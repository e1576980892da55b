"""Flattens the filters tap by tap, while the columns go channel by channel."""

TASK = "im2col"
HINT = """One channel is right, and so are your columns. With more channels, weights meet pixels of other
taps and channels. In which order do the rows of the columns go, and in which the numbers of a flattened
filter?"""


def conv2d_im2col(
    x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size, matmul=np.matmul
):
    check_conv(x, w, b)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    cols = im2col(x, w.shape[2:], stride=stride, padding=padding, dilation=dilation, size=size)
    rows = w.transpose(0, 2, 3, 1).reshape(len(w), -1)
    out = matmul(rows, cols).reshape(len(x), len(w), h_out, w_out)
    return out if b is None else out + b[:, None, None]
