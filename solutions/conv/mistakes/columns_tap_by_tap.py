"""Orders the rows by tap, and within a tap by channel."""

TASK = "im2col"
HINT = """One channel is right. With more, every number is there and the rows are in another order. Row c
K_h K_w + u K_w + v: which of c, u and v moves slowest?"""


def im2col(x, kernel, *, right=im2col, **settings):
    cols = right(x, kernel, **settings)
    k_h, k_w = pair(kernel)
    split = cols.reshape(len(x), x.shape[1], k_h * k_w, -1)
    return split.swapaxes(1, 2).reshape(cols.shape)


def conv2d_im2col(
    x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size, matmul=np.matmul
):
    check_conv(x, w, b)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    cols = im2col(x, w.shape[2:], stride=stride, padding=padding, dilation=dilation, size=size)
    out = matmul(w.transpose(0, 2, 3, 1).reshape(len(w), -1), cols).reshape(len(x), len(w), h_out, w_out)
    return out if b is None else out + b[:, None, None]
