"""Orders the rows by place, and within a place by filter."""

TASK = "matrix"
HINT = """A single filter is right. With more, the right rows come in the wrong order. The output is
(C_out, H_out, W_out): when it is ravelled, which index moves slowest?"""


def conv_matrix(w, image_shape, *, right=conv_matrix, **settings):
    matrix = right(w, image_shape, **settings)
    return matrix.reshape(len(w), -1, matrix.shape[1]).swapaxes(0, 1).reshape(matrix.shape)
