"""Returns a row per window instead of a column."""

TASK = "im2col"
HINT = """All the numbers are there, but the two last axes have changed places. In w_rows @ cols the filter
runs along a row of the left matrix: along what does the window have to run in the right one?"""


def im2col(x, kernel, *, right=im2col, **settings):
    cols = right(x, kernel, **settings)
    k_h, k_w = pair(kernel)
    return cols.swapaxes(1, 2).copy()
