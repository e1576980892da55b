"""Lets taps that fall beside the image land in the row above or below."""

TASK = "matrix"
HINT = """Without padding all is right. With padding, taps left of the image show up at the end of the row
above. A pixel's number is row * W + column: is a number in range proof that the column is?"""


def conv_matrix(w, image_shape, *, stride=1, padding=0, dilation=1, size=output_size):
    channels, height, width = image_shape
    check_conv(np.empty((1, channels, height, width)), w)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = grid((height, width), w.shape[2:], stride, padding, dilation, size)
    c_out, _, k_h, k_w = w.shape
    matrix = np.zeros((c_out, h_out, w_out, channels, height * width), dtype=w.dtype)
    for i, j, u, v in np.ndindex(h_out, w_out, k_h, k_w):
        pixel = (i * s_h + u * d_h - p_h) * width + j * s_w + v * d_w - p_w
        if 0 <= pixel < height * width:
            matrix[:, i, j, :, pixel] += w[:, :, u, v]
    return matrix.reshape(c_out * h_out * w_out, channels * height * width)
