"""Builds the matrix with a column per output."""

TASK = "matrix"
HINT = """Every weight stands at the right pair of input and output, but the matrix lies on its side. In T
@ x, do the rows of T belong to what goes in or to what comes out?"""


def conv_matrix(w, image_shape, *, right=conv_matrix, **settings):
    return right(w, image_shape, **settings).T.copy()
