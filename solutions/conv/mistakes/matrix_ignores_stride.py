"""Moves the band by one pixel per output, whatever the stride."""

TASK = "matrix"
HINT = """With a stride of 1 all is right. With more, the shape is right, but each window still begins one
pixel after the last. How far does the band move from row to row?"""


def conv_matrix(w, image_shape, *, stride=1, padding=0, dilation=1, size=output_size):
    channels, height, width = image_shape
    check_conv(np.empty((1, channels, height, width)), w)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = grid((height, width), w.shape[2:], stride, padding, dilation, size)
    c_out, _, k_h, k_w = w.shape
    matrix = np.zeros((c_out, h_out, w_out, channels, height, width), dtype=w.dtype)
    for i, j, u, v in np.ndindex(h_out, w_out, k_h, k_w):
        row, column = i + u * d_h - p_h, j + v * d_w - p_w
        if 0 <= row < height and 0 <= column < width:
            matrix[:, i, j, :, row, column] = w[:, :, u, v]
    return matrix.reshape(c_out * h_out * w_out, channels * height * width)
