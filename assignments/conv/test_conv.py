"""Public checks of conv: values done by hand, and a few facts that hold for any right answer.

Run all of them with `pytest`; the handout gives a command for each task.
"""

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.compare import assert_close
from coursekit.data import edge_kernel, zero_image


def counted(size, kernel, *, stride=1, padding=0, dilation=1):
    """An output's size by counting, for the functions that ask for one."""
    starts = range(0, size + 2 * padding, stride)
    return sum(start + dilation * (kernel - 1) < size + 2 * padding for start in starts)


def image(*rows):
    """One image of one channel, (1, 1, H, W)."""
    return np.array([[rows]], dtype=float)


# ---- 1 arithmetic ------------------------------------------------------------------------------------------


@number("1.p1")
@weight(1)
@tags("arithmetic")
def test_output_sizes_by_hand(impl):
    """The sizes of the handout's table; a kernel that does not fit is refused."""
    table = [
        (impl.output_size(5, 3), 3),
        (impl.output_size(7, 3, stride=2), 3),
        (impl.output_size(8, 3, stride=2), 3),
        (impl.output_size(5, 3, padding=1), 5),
        (impl.output_size(9, 3, dilation=2), 5),
        (impl.output_size(8, 3, stride=3, padding=2, dilation=2), 3),
    ]

    assert_close([got for got, _ in table], [want for _, want in table], name="sizes")
    with pytest.raises(ValueError):
        impl.output_size(4, 3, dilation=2)


@number("1.p2")
@weight(1)
@tags("arithmetic")
def test_receptive_fields_by_hand(impl):
    """Three 3-wide layers see 7 pixels; after a pool that halves the image, a layer's taps are 2 pixels
    apart."""
    three = [(3, 1, 1, 1)] * 3
    pooled = [(3, 1, 1, 1), (2, 2, 0, 1), (3, 1, 1, 1)]

    assert_close(impl.receptive_field(three), (7, 1, -3), name="three layers of 3")
    assert_close(impl.receptive_field(pooled), (8, 2, -3), name="field after (3, pool 2, 3)")


# ---- 2 conv2d ----------------------------------------------------------------------------------------------


@number("2.p1")
@weight(2)
@tags("conv2d")
def test_edges_of_the_zero(impl):
    """The horizontal-edge kernel on the notes' "0": 0.7, 2.1, 0.7 where ink lies above paper, minus that
    below."""
    x, w = zero_image()[None, None], edge_kernel()[None, None]

    out = impl.conv2d(x, w, size=counted)

    assert_close(out, image([0.7, 2.1, 0.7], [0, 0, 0], [-0.7, -2.1, -0.7]), name="feature map")


@number("2.p2")
@weight(1)
@tags("conv2d")
def test_settings_by_hand(impl):
    """A row of six pixels, a kernel of two taps: padding, stride and dilation done by hand; channels add
    up."""
    x, w = image([1, 2, 4, 7, 11, 16]), image([10, 1])
    settings = {
        "plain": ({}, [12, 24, 47, 81, 126]),
        "stride (1, 2)": ({"stride": (1, 2)}, [12, 47, 126]),
        "dilation (1, 3)": ({"dilation": (1, 3)}, [17, 31, 56]),
        "padding (0, 1)": ({"padding": (0, 1)}, [1, 12, 24, 47, 81, 126, 160]),
    }

    for name, (setting, row) in settings.items():
        assert_close(impl.conv2d(x, w, size=counted, **setting), image(row), name=f"output, {name}")
    channels, filters = np.concatenate([x, x], axis=1), np.concatenate([w, 2 * w], axis=1)
    two = impl.conv2d(channels, filters, np.array([0.5]), size=counted)
    assert_close(two, 3 * image([12, 24, 47, 81, 126]) + 0.5, name="output, two channels and a bias")


# ---- 3 matrix ----------------------------------------------------------------------------------------------


@number("3.p1")
@weight(2)
@tags("matrix")
def test_matrix_by_hand(impl):
    """A kernel (5, 7) on four pixels: a band that moves a column per row, two with stride 2; and one cut by
    padding. A 2 x 2 kernel on 3 x 3 pixels."""
    w, square = image([5, 7]), image([1, 2], [3, 4])

    plain = impl.conv_matrix(w, (1, 1, 4), size=counted)
    strided = impl.conv_matrix(w, (1, 1, 4), stride=(1, 2), size=counted)
    padded = impl.conv_matrix(w, (1, 1, 2), padding=(0, 1), size=counted)
    blocks = impl.conv_matrix(square, (1, 3, 3), size=counted)

    assert_close(plain, np.array([[5.0, 7, 0, 0], [0, 5, 7, 0], [0, 0, 5, 7]]), name="matrix")
    assert_close(strided, np.array([[5.0, 7, 0, 0], [0, 0, 5, 7]]), name="matrix with stride 2")
    assert_close(padded, np.array([[7.0, 0], [5, 7], [0, 5]]), name="matrix with padding 1")
    want = [
        [1.0, 2, 0, 3, 4, 0, 0, 0, 0],
        [0, 1, 2, 0, 3, 4, 0, 0, 0],
        [0, 0, 0, 1, 2, 0, 3, 4, 0],
        [0, 0, 0, 0, 1, 2, 0, 3, 4],
    ]
    assert_close(blocks, np.array(want), name="matrix of 2 x 2 on 3 x 3")


# ---- 4 im2col ----------------------------------------------------------------------------------------------


@number("4.p1")
@weight(2)
@tags("im2col")
def test_columns_by_hand(impl):
    """The four 2 x 2 windows of a 3 x 3 image, as the columns of the handout."""
    x = image([1, 2, 3], [4, 5, 6], [7, 8, 9])

    cols = impl.im2col(x, 2, size=counted)

    want = np.array([[[1.0, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]])
    assert_close(cols, want, name="columns")


@number("4.p2")
@weight(1)
@tags("im2col")
def test_one_product_for_the_zero(impl):
    """The edges of the "0" again, for two images and two filters, out of a single product."""
    x, w = zero_image()[None, None], edge_kernel()[None, None]
    calls = []

    def matmul(a, b):
        calls.append(1)
        return np.matmul(a, b)

    out = impl.conv2d_im2col(np.concatenate([x, 2 * x]), np.concatenate([w, -w]), size=counted, matmul=matmul)

    edges = image([0.7, 2.1, 0.7], [0, 0, 0], [-0.7, -2.1, -0.7])
    one = np.concatenate([edges, -edges], axis=1)
    assert_close(out, np.concatenate([one, 2 * one]), name="feature maps")
    assert len(calls) == 1, f"matmul was called {len(calls)} times"


# ---- 5 backward --------------------------------------------------------------------------------------------


@number("5.p1")
@weight(2)
@tags("backward")
def test_backward_by_hand(impl):
    """Four pixels, two taps, three outputs, and 2 x 2 taps on 3 x 3 pixels: every gradient done by hand."""
    x, w, dout = image([1, 2, 3, 4]), image([5, 7]), image([1, 10, 100])

    dx, dw, db = impl.conv2d_backward(dout, x, w)

    # out_0 = 5 x_0 + 7 x_1 and so on: x_1 appears as 7 x_1 in out_0 and as 5 x_1 in out_1
    assert_close(dx, image([5, 7 + 50, 70 + 500, 700]), name="dx")
    assert_close(dw, image([1 + 20 + 300, 2 + 30 + 400]), name="dw")
    assert_close(db, np.array([111.0]), name="db")

    x, w, dout = image([1, 2, 3], [4, 5, 6], [7, 8, 9]), image([5, 7], [2, 3]), image([1, 10], [100, 1000])

    dx, dw, db = impl.conv2d_backward(dout, x, w)

    # the pixel in the middle meets every tap: 3 in the first window, 2, 7 and 5 in the others
    middle = 3 + 2 * 10 + 7 * 100 + 5 * 1000
    assert_close(dx, image([5, 57, 70], [502, middle, 7030], [200, 2300, 3000]), name="dx of 3 x 3")
    # tap (0, 0) met 1, 2, 4 and 5
    assert_close(dw, image([1 + 20 + 400 + 5000, 6532], [8754, 9865]), name="dw of 2 x 2")
    assert_close(db, np.array([1111.0]), name="db of four windows")


@number("5.p2")
@weight(1)
@tags("backward")
def test_backward_with_stride_by_hand(impl):
    """With stride 2 over five pixels the last is in no window, and its gradient is 0."""
    x, w, dout = image([1, 2, 3, 4, 5]), image([5, 7]), image([1, 10])

    dx, dw, _ = impl.conv2d_backward(dout, x, w, stride=(1, 2))

    assert_close(dx, image([5, 7, 50, 70, 0]), name="dx")
    assert_close(dw, image([1 + 30, 2 + 40]), name="dw")


# ---- 6 pooling ---------------------------------------------------------------------------------------------

CORNERS = image([1, 5, 2, 0], [3, 4, 2, 2])


@number("6.p1")
@weight(1)
@tags("pooling")
def test_pools_by_hand(impl):
    """Two windows of 2 x 2: maxima 5 and 2, means 3.25 and 1.5."""
    assert_close(impl.max_pool2d(CORNERS, 2, size=counted), image([5, 2]), name="maxima")
    assert_close(impl.avg_pool2d(CORNERS, 2, size=counted), image([3.25, 1.5]), name="means")


@number("6.p2")
@weight(1)
@tags("pooling")
def test_pool_gradients_by_hand(impl):
    """The maximum's gradient goes to one pixel, the first of equals; the mean's to all four, a quarter
    each."""
    dout = image([8, 4])

    dmax = impl.max_pool2d_backward(dout, CORNERS, 2)
    davg = impl.avg_pool2d_backward(dout, CORNERS, 2)

    assert_close(dmax, image([0, 8, 4, 0], [0, 0, 0, 0]), name="gradient of the maxima")
    assert_close(davg, image([2, 2, 1, 1], [2, 2, 1, 1]), name="gradient of the means")


@number("6.p3")
@weight(1)
@tags("pooling")
def test_padding_of_a_pool(impl):
    """Padding is no candidate for a maximum, but counts as zeros in a mean."""
    x = image([-4, -8])
    settings = {"stride": (1, 2), "padding": (0, 1), "size": counted}

    assert_close(impl.max_pool2d(x, (1, 2), **settings), image([-4, -8]), name="maxima")
    assert_close(impl.avg_pool2d(x, (1, 2), **settings), image([-2, -4]), name="means")


# ---- 7 skips -----------------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("skips")
def test_silent_branch_is_the_identity(impl, rng):
    """A block whose branch gives zeros hands on its input, and hands back its gradient."""
    x, dout = rng.standard_normal((2, 3, 4, 4)), rng.standard_normal((2, 3, 4, 4))

    assert_close(impl.residual_block(x, np.zeros_like), x, name="output")
    assert_close(impl.residual_backward(dout, np.zeros_like), dout, name="gradient")


@number("7.p2")
@weight(1)
@tags("skips")
def test_join_by_hand(impl):
    """Two channels of 4 x 4 beside one of 2 x 2: three channels of 2 x 2, the centre of the skip first."""
    skip = np.arange(32.0).reshape(1, 2, 4, 4)

    both = impl.unet_join(skip, np.full((1, 1, 2, 2), -1.0))

    want = np.array([[[[5.0, 6], [9, 10]], [[21, 22], [25, 26]], [[-1, -1], [-1, -1]]]])
    assert_close(both, want, name="joined features")


# ---- 8 device ----------------------------------------------------------------------------------------------


@number("8.p1")
@weight(1)
@tags("device")
@pytest.mark.parametrize(
    "dtype",
    [torch.float64, torch.float32, torch.bfloat16],
    ids=["float64", "float32", "bfloat16"],
)
def test_edges_of_the_zero_in_torch(impl, device, dtype):
    """The edges of the "0" once more, as tensors, in three precisions."""
    x = torch.tensor(zero_image(), dtype=dtype)[None, None].to(device)
    w = torch.tensor(edge_kernel(), dtype=dtype)[None, None].to(device)

    out = impl.conv2d_torch(x, w, size=counted)

    want = [[0.7, 2.1, 0.7], [0, 0, 0], [-0.7, -2.1, -0.7]]
    assert_close(out.cpu(), torch.tensor([[want]], dtype=dtype), name="feature map")
