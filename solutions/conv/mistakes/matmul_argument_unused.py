"""Multiplies with an operator instead of the argument `matmul`."""

TASK = "im2col"
HINT = """The numbers are right, and the `matmul` that was passed in was never called, so your products
cannot be counted. Where do weights meet pixels in your function?"""


def conv2d_im2col(
    x, w, b=None, *, stride=1, padding=0, dilation=1, size=output_size, matmul=np.matmul
):
    check_conv(x, w, b)
    h_out, w_out = grid(x.shape[2:], w.shape[2:], stride, padding, dilation, size)
    cols = im2col(x, w.shape[2:], stride=stride, padding=padding, dilation=dilation, size=size)
    rows = w.reshape(len(w), -1)
    out = (rows @ cols).reshape(len(x), len(w), h_out, w_out)
    return out if b is None else out + b[:, None, None]
