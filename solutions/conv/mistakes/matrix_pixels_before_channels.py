"""Orders the columns by pixel, and within a pixel by channel."""

TASK = "matrix"
HINT = """Images of one channel are right. With more, the right weights stand in the wrong columns.
x.ravel() of a (C, H, W) image: what comes second, the next channel of the first pixel, or its neighbour?"""


def conv_matrix(w, image_shape, *, right=conv_matrix, **settings):
    matrix = right(w, image_shape, **settings)
    return matrix.reshape(len(matrix), image_shape[0], -1).swapaxes(1, 2).reshape(matrix.shape)
