"""Reshapes (C_out, N * H_out * W_out) to (N, C_out, H_out, W_out) without moving axes."""

TASK = "im2col"
HINT = """One image is right. With several, the numbers are right but stand in other images and channels.
Your product has the filters first and the images second: does a reshape move axes past each other?"""


def conv2d_im2col(
    x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size, matmul=np.matmul
):
    check_conv(x, w, b)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    cols = im2col(x, w.shape[2:], stride=stride, padding=padding, dilation=dilation, size=size)
    rows = w.reshape(len(w), -1)
    out = matmul(rows, np.concatenate(list(cols), axis=1)).reshape(len(x), len(w), h_out, w_out)
    return out if b is None else out + b[:, None, None]
