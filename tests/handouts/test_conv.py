"""What conv's handout, docstrings and captions state, computed from its reference."""

from functools import reduce

import numpy as np
import pytest
import staff_files
from coursekit.data import digits, edge_kernel, zero_image

torch = pytest.importorskip("torch")

conv = staff_files.reference("conv")

WEIGHTS = np.array([[[[1.0, 2, 3], [-1, -2, -3], [2, 0, -2]]]])


def image(*rows):
    return np.array([[rows]], dtype=float)


def test_three_sums_of_the_picture():
    """ "the row of ink above minus the row of paper below gives 2.1"."""
    window = zero_image()[:3, 1:4]

    assert np.sum(window * edge_kernel()) == pytest.approx(2.1)


@pytest.mark.parametrize(
    "pixels, k, s, p, d, windows",
    [(5, 3, 1, 0, 1, 3), (7, 3, 2, 0, 1, 3), (8, 3, 2, 0, 1, 3), (9, 3, 1, 0, 2, 5), (8, 3, 3, 2, 2, 3)],
)
def test_table_of_sizes(pixels, k, s, p, d, windows):
    """Task 1's table, left."""
    assert conv.output_size(pixels, k, stride=s, padding=p, dilation=d) == windows


def test_table_of_fields():
    """Task 1's table, right; the docstring's (4, 2, -1)."""
    layers = [(3, 1, 1, 1), (2, 2, 0, 1), (3, 1, 1, 1)]

    assert [conv.receptive_field(layers[:n]) for n in range(4)] == [(1, 1, 0), (3, 1, -1), (4, 2, -1), (8, 2, -3)]


def test_ten_layers():
    """ "Ten layers of kernel 3 see 21 pixels"; with every second one a pool, 94. Five layers with dilation 1 … 16 see 63."""
    plain, pooled = [(3, 1, 1, 1)] * 10, [(3, 1, 1, 1), (2, 2, 0, 1)] * 5
    dilated = [(3, 1, 2**k, 2**k) for k in range(5)]

    assert [conv.receptive_field(layers)[0] for layers in (plain, pooled, dilated)] == [21, 94, 63]
    assert (
        conv.receptive_field(pooled[:5])[0] < 63
    )  # "which widens it faster, strides or dilations?" layer for layer, dilations


def test_the_order_of_a_stride_matters():
    """ "does the order matter?" It does: 7 or 5 pixels."""
    strided, plain = (3, 2, 1, 1), (3, 1, 1, 1)

    assert conv.receptive_field([strided, plain])[0] == 7
    assert conv.receptive_field([plain, strided])[0] == 5


def test_weight_of_the_center():
    """ "85% of the weight of those 21 × 21 falls on 9 × 9"."""
    row = reduce(np.convolve, [np.ones(3) / 3] * 10)

    assert len(row) == 21
    assert round(100 * row[6:15].sum() ** 2) == 85


def test_edges_by_hand():
    """Task 2's sums of three neighbors, and (0.7, 2.1, 0.7), 0, (−0.7, −2.1, −0.7)."""
    sums = [[1.9, 2.5, 1.9], [1, 0.3, 1], [1.2, 0.4, 1.2], [1, 0.3, 1], [1.9, 2.5, 1.9]]
    edges = [[0.7, 2.1, 0.7], [0, 0, 0], [-0.7, -2.1, -0.7]]
    x = zero_image()[None, None]

    np.testing.assert_allclose(conv.conv2d(x, np.ones((1, 1, 1, 3)))[0, 0], sums)
    np.testing.assert_allclose(conv.conv2d(x, edge_kernel()[None, None])[0, 0], edges, atol=1e-12)


def test_the_rim_has_numbers():
    """ "what stands above 0.7 2.1 0.7": negative numbers."""
    out = conv.conv2d(zero_image()[None, None], edge_kernel()[None, None], padding=1)[0, 0]

    np.testing.assert_allclose(out[0], [-0.9, -1, -0.3, -1, -0.9])
    np.testing.assert_allclose(out[1, 1:4], [0.7, 2.1, 0.7])


def test_matrices_of_two_taps():
    """Task 3's four matrices of the kernel (5, 7)."""
    w = image([5, 7])

    np.testing.assert_array_equal(conv.conv_matrix(w, (1, 1, 4)), [[5, 7, 0, 0], [0, 5, 7, 0], [0, 0, 5, 7]])
    np.testing.assert_array_equal(conv.conv_matrix(w, (1, 1, 4), stride=(1, 2)), [[5, 7, 0, 0], [0, 0, 5, 7]])
    np.testing.assert_array_equal(conv.conv_matrix(w, (1, 1, 2), padding=(0, 1)), [[7, 0], [5, 7], [0, 5]])
    np.testing.assert_array_equal(conv.conv_matrix(w, (1, 1, 4), dilation=(1, 2)), [[5, 0, 7, 0], [0, 5, 0, 7]])


def test_entries_of_a_matrix():
    """ "128 of 576 entries are not 0, with 6 values"."""
    matrix = conv.conv_matrix(WEIGHTS, (1, 6, 6))

    assert matrix.size == 576
    assert np.count_nonzero(matrix) == 128
    assert len(np.unique(matrix[matrix != 0])) == 6


@pytest.mark.parametrize(
    "settings, toeplitz", [({}, True), ({"stride": 2}, False), ({"dilation": 2}, True), ({"padding": 1}, True)]
)
def test_only_the_stride_breaks_the_diagonals(settings, toeplitz):
    """Caption of `matrix`: "Only the stride breaks the diagonals: its band moves two columns a row"."""
    matrix = conv.conv_matrix(WEIGHTS, (1, 6, 6), **settings)
    side = round(len(matrix) ** 0.5)
    blocks = [matrix[side * i : side * i + side, 6 * j : 6 * j + 6] for i in range(side) for j in range(6)]

    constant = all(np.array_equal(block[1:, 1:], block[:-1, :-1]) for block in blocks)
    moved = all(np.array_equal(block[1:, 2:], block[:-1, :-2]) for block in blocks)

    assert constant is toeplitz
    assert toeplitz or moved


@pytest.mark.parametrize("k, numbers", [(1, 1), (3, 9), (5, 25), (7, 49)])
def test_price_of_the_columns(k, numbers):
    """ "7, 14, or 49?" 49 numbers per pixel for kernel 7."""
    assert conv.im2col(np.zeros((1, 1, 64, 64)), k, padding=k // 2).size / 64**2 == numbers


def test_columns_of_nine_pixels():
    """Task 4's columns of 1 … 9."""
    cols = conv.im2col(image([1, 2, 3], [4, 5, 6], [7, 8, 9]), 2)

    np.testing.assert_array_equal(cols, [[[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]])


def test_gradients_by_hand():
    """ "dx = (5, 57, 570, 700), dw = (321, 432), db = 111"."""
    dx, dw, db = conv.conv2d_backward(image([1, 10, 100]), image([1, 2, 3, 4]), image([5, 7]))

    np.testing.assert_array_equal(dx[0, 0, 0], [5, 57, 570, 700])
    np.testing.assert_array_equal(dw[0, 0, 0], [321, 432])
    np.testing.assert_array_equal(db, [111])


def test_dx_is_a_convolution_of_dout():
    """Task 5's See: the first number is not 0 with w as it is, and 0 with w turned by 180°; dw is a convolution of x with dout; dx
    is the transposed matrix times dout."""
    rng = np.random.default_rng(0)
    x, w, dout = (rng.standard_normal((1, 1, n, n)) for n in (6, 3, 4))

    dx, dw, _ = conv.conv2d_backward(dout, x, w)

    assert abs(dx - conv.conv2d(dout, w, padding=2)).max() > 1
    np.testing.assert_allclose(dx, conv.conv2d(dout, w[:, :, ::-1, ::-1], padding=2))
    np.testing.assert_allclose(dw, conv.conv2d(x, dout))
    np.testing.assert_allclose(conv.conv_matrix(w, (1, 6, 6)).T @ dout.ravel(), dx.ravel())


def test_checkerboard():
    """ "1, 2 or 4 windows meet a pixel, in a checkerboard"; with kernel 2, one window each."""
    ones = np.ones((1, 1, 7, 7))

    three = conv.conv2d_backward(ones[:, :, :3, :3], ones, ones[:, :, :3, :3], stride=2)[0][0, 0]
    two = conv.conv2d_backward(ones[:, :, :3, :3], ones[:, :, :6, :6], ones[:, :, :2, :2], stride=2)[0]

    np.testing.assert_array_equal(three, np.outer([1, 1, 2, 1, 2, 1, 1], [1, 1, 2, 1, 2, 1, 1]))
    np.testing.assert_array_equal(two, ones[:, :, :6, :6])


def test_pools_by_hand():
    """Task 6's two windows: maxima 5, 2; means 3.25, 1.5; their gradients. The docstrings' single window."""
    x, dout = image([1, 5, 2, 0], [3, 4, 2, 2]), image([8, 4])

    np.testing.assert_array_equal(conv.max_pool2d(x, 2), image([5, 2]))
    np.testing.assert_array_equal(conv.avg_pool2d(x, 2), image([3.25, 1.5]))
    np.testing.assert_array_equal(conv.max_pool2d_backward(dout, x, 2), image([0, 8, 4, 0], [0, 0, 0, 0]))
    np.testing.assert_array_equal(conv.avg_pool2d_backward(dout, x, 2), image([2, 2, 1, 1], [2, 2, 1, 1]))
    one = image([1, 5], [3, 4])
    np.testing.assert_array_equal(conv.max_pool2d_backward(image([8]), one, 2), image([0, 8], [0, 0]))
    np.testing.assert_array_equal(conv.avg_pool2d_backward(image([8]), one, 2), image([2, 2], [2, 2]))


@pytest.mark.parametrize("k, share, change", [(2, 30, 0.55), (4, 50, 0.40)])
def test_pools_are_not_invariant(k, share, change):
    """ "pools of 2 keep 30% of their numbers and pools of 4 keep 50%: damped, not invariant"."""
    x, norm = digits(200, seed=0)[0], np.linalg.norm
    moved = np.roll(x, 1, axis=3)

    before, after = conv.max_pool2d(x, k), conv.max_pool2d(moved, k)

    assert round(100 * (before == after).mean()) == share
    assert norm(after - before) / norm(before) == pytest.approx(change, abs=0.005)
    assert norm(after - before) / norm(before) < norm(moved - x) / norm(x)


def test_a_gradient_through_twenty_blocks():
    """Task 7's See: 1e-20 without skips, and 1.1²⁰ = 6.7 with them."""
    g = reduce(lambda g, block: conv.residual_backward(g, lambda d: 0.1 * d), range(20), np.ones((1, 1, 1, 1)))

    assert g.item() == pytest.approx(6.7, abs=0.05)


def test_ones_in_bfloat16():
    """ "Do you get 4,096, 512, or 256?" 256 one at a time, and 4,096 from `conv2d_torch`."""
    ones = torch.ones(2, 1, 1, 64, 64, dtype=torch.bfloat16)

    assert sum(ones[0].flatten()).item() == 256
    assert conv.conv2d_torch(*ones).item() == 4096


def test_written_question():
    """`stack`: one 5 × 5 and two 3 × 3 layers see the same 5 pixels, with 25 and 18 weights per pair of channels."""
    assert conv.receptive_field([(5, 1, 0, 1)])[0] == conv.receptive_field([(3, 1, 0, 1)] * 2)[0] == 5
    assert 2 * 3 * 3 == 18
