"""Lays the kernel on the image turned by 180 degrees."""

TASK = "matrix"
HINT = """The pattern of zeros is right, but the weights stand in the opposite order. Which weight meets
the first pixel in the first window?"""


def conv_matrix(w, image_shape, *, right=conv_matrix, **settings):
    return right(w[:, :, ::-1, ::-1], image_shape, **settings)
