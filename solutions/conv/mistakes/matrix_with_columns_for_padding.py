"""Keeps columns for the padded pixels."""

TASK = "matrix"
HINT = """Without padding all is right; with it, the matrix has more columns than the image has numbers. A
weight that meets padding is multiplied by 0: does it need a place in the matrix?"""


def conv_matrix(w, image_shape, *, stride=1, padding=0, dilation=1, size=output_size):
    channels, height, width = image_shape
    check_conv(np.empty((1, channels, height, width)), w)
    (s_h, s_w), (p_h, p_w), (d_h, d_w) = pair(stride), pair(padding), pair(dilation)
    h_out, w_out = grid((height, width), w.shape[2:], stride, padding, dilation, size)
    c_out, _, k_h, k_w = w.shape
    tall, wide = height + 2 * p_h, width + 2 * p_w
    matrix = np.zeros((c_out, h_out, w_out, channels, tall, wide), dtype=w.dtype)
    for i, j, u, v in np.ndindex(h_out, w_out, k_h, k_w):
        matrix[:, i, j, :, i * s_h + u * d_h, j * s_w + v * d_w] = w[:, :, u, v]
    return matrix.reshape(c_out * h_out * w_out, channels * tall * wide)
