"""Public checks of conv: values done by hand, and gradients from torch's autograd.

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
    """The sizes of the handout's table, and one with padding."""
    table = [
        (impl.output_size(5, 3), 3),
        (impl.output_size(7, 3, stride=2), 3),
        (impl.output_size(8, 3, stride=2), 3),
        (impl.output_size(5, 3, padding=1), 5),
        (impl.output_size(9, 3, dilation=2), 5),
        (impl.output_size(8, 3, stride=3, padding=2, dilation=2), 3),
    ]

    assert_close([got for got, _ in table], [want for _, want in table], name="sizes")


@number("1.p2")
@weight(1)
@tags("arithmetic")
def test_receptive_fields_by_hand(impl):
    """Three 3-wide layers see 7 pixels; behind a pool that halves the image, a layer's taps are 2 pixels
    apart; three taps with dilation 2 span 5 pixels."""
    three = [(3, 1, 1, 1)] * 3
    pooled = [(3, 1, 1, 1), (2, 2, 0, 1), (3, 1, 1, 1)]

    assert_close(impl.receptive_field(three), (7, 1, -3), name="three layers of 3")
    assert_close(impl.receptive_field(pooled), (8, 2, -3), name="field after (3, pool 2, 3)")
    assert_close(impl.receptive_field([(3, 1, 0, 2)]), (5, 1, 0), name="field of dilation 2")


# ---- 2 conv2d ----------------------------------------------------------------------------------------------


@number("2.p1")
@weight(2)
@tags("conv2d")
def test_edges_of_the_zero(impl):
    """The horizontal-edge kernel on the "0": 0.7, 2.1, 0.7 where ink lies above paper, minus that below."""
    x, w = zero_image()[None, None], edge_kernel()[None, None]

    out = impl.conv2d(x, w, size=counted)

    assert_close(out, image([0.7, 2.1, 0.7], [0, 0, 0], [-0.7, -2.1, -0.7]), name="feature map")


@number("2.p2")
@weight(1)
@tags("conv2d")
def test_settings_by_hand(impl):
    """Six pixels in a row and a kernel of two ones: stride, dilation and padding done by hand. A column does
    the same with the other number of each pair."""
    x, w = image([1, 2, 4, 7, 11, 16]), image([1, 1])
    settings = {
        "plain": ({}, [3, 6, 11, 18, 27]),
        "stride (1, 2)": ({"stride": (1, 2)}, [3, 11, 27]),
        "dilation (1, 3)": ({"dilation": (1, 3)}, [8, 13, 20]),
        "padding (0, 1)": ({"padding": (0, 1)}, [1, 3, 6, 11, 18, 27, 16]),
    }

    for name, (setting, row) in settings.items():
        assert_close(impl.conv2d(x, w, size=counted, **setting), image(row), name=f"output, {name}")
        turned = {setting: pair[::-1] for setting, pair in setting.items()}
        column = impl.conv2d(x.swapaxes(2, 3), w.swapaxes(2, 3), size=counted, **turned)
        assert_close(column, image(row).swapaxes(2, 3), name=f"output of a column, {name} for columns")


@number("2.p3")
@weight(1)
@tags("conv2d")
def test_channels_filters_and_biases_by_hand(impl):
    """Channels add up; each filter has a bias of its own, whatever the number of columns."""
    x = np.concatenate([image([1, 2, 4, 0]), image([10, 20, 40, 0])], axis=1)
    w = np.array([[[[1.0, 1]], [[1, 1]]], [[[2, 2]], [[0, 0]]]])  # the second filter looks at channel 0 alone
    b = np.array([0.5, -100.0])

    two = impl.conv2d(x[..., :3], w, b, size=counted)  # two filters, two columns
    three = impl.conv2d(x, w, b, size=counted)  # two filters, three columns

    assert_close(two, np.array([[[[33.5, 66.5]], [[-94, -88]]]]), name="output")
    assert_close(three, np.array([[[[33.5, 66.5, 44.5]], [[-94, -88, -92]]]]), name="output with three columns")


# ---- 3 matrix ----------------------------------------------------------------------------------------------


@number("3.p1")
@weight(1)
@tags("matrix")
def test_matrix_by_hand(impl):
    """A kernel (5, 7) on four pixels: a band that moves a column per row, or two with stride 2; one cut by
    padding; one with dilation 2. A 2 x 2 kernel on 3 x 3 pixels. Three ones on two rows of two pixels."""
    w, square = image([5, 7]), image([1, 2], [3, 4])

    plain = impl.conv_matrix(w, (1, 1, 4), size=counted)
    strided = impl.conv_matrix(w, (1, 1, 4), stride=(1, 2), size=counted)
    padded = impl.conv_matrix(w, (1, 1, 2), padding=(0, 1), size=counted)
    dilated = impl.conv_matrix(w, (1, 1, 4), dilation=(1, 2), size=counted)
    blocks = impl.conv_matrix(square, (1, 3, 3), size=counted)
    rows = impl.conv_matrix(image([1, 1, 1]), (1, 2, 2), padding=(0, 1), size=counted)

    assert_close(plain, np.array([[5.0, 7, 0, 0], [0, 5, 7, 0], [0, 0, 5, 7]]), name="matrix")
    assert_close(strided, np.array([[5.0, 7, 0, 0], [0, 0, 5, 7]]), name="matrix with stride 2")
    assert_close(padded, np.array([[7.0, 0], [5, 7], [0, 5]]), name="matrix with padding 1")
    assert_close(dilated, np.array([[5.0, 0, 7, 0], [0, 5, 0, 7]]), name="matrix with dilation 2")
    want = [
        [1.0, 2, 0, 3, 4, 0, 0, 0, 0],
        [0, 1, 2, 0, 3, 4, 0, 0, 0],
        [0, 0, 0, 1, 2, 0, 3, 4, 0],
        [0, 0, 0, 0, 1, 2, 0, 3, 4],
    ]
    assert_close(blocks, np.array(want), name="matrix of 2 x 2 on 3 x 3")
    want = np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]])
    assert_close(rows, want, name="matrix of two rows of pixels")


@number("3.p2")
@weight(1)
@tags("matrix")
def test_matrix_of_channels_and_filters_by_hand(impl):
    """Two filters of one tap each on two channels of two pixels: rows by filter, columns by channel."""
    w = np.array([[[[1.0]], [[2]]], [[[3]], [[4]]]])

    matrix = impl.conv_matrix(w, (2, 1, 2), size=counted)

    assert_close(matrix, np.array([[1.0, 0, 2, 0], [0, 1, 0, 2], [3, 0, 4, 0], [0, 3, 0, 4]]), name="matrix")


# ---- 4 im2col ----------------------------------------------------------------------------------------------


@number("4.p1")
@weight(1)
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
def test_columns_with_settings_by_hand(impl):
    """Two channels of four pixels: channel by channel, and within a channel tap by tap; with a stride, a
    dilation, and padding."""
    x = np.concatenate([image([1, 2, 3, 4]), image([5, 6, 7, 8])], axis=1)

    strided = impl.im2col(x, (1, 2), stride=(1, 2), size=counted)
    dilated = impl.im2col(x, (1, 2), dilation=(1, 2), size=counted)
    padded = impl.im2col(x, (1, 4), padding=(0, 1), size=counted)

    assert_close(strided, np.array([[[1.0, 3], [2, 4], [5, 7], [6, 8]]]), name="columns with stride 2")
    assert_close(dilated, np.array([[[1.0, 2], [3, 4], [5, 6], [7, 8]]]), name="columns with dilation 2")
    first = [[0.0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0]]
    second = [[0.0, 5, 6], [5, 6, 7], [6, 7, 8], [7, 8, 0]]
    assert_close(padded, np.array([first + second]), name="columns with padding 1")


@number("4.p3")
@weight(1)
@tags("im2col")
def test_one_product_by_hand(impl):
    """Two images, two filters and two biases out of a single product of the columns that are handed in."""
    x = image([1, 2, 3], [4, 5, 6], [7, 8, 9])
    cols = np.array([[[1.0, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]])  # its 2 x 2 windows
    w, b = np.array([[[[1.0, 0], [0, 10]]], [[[0, 1], [0, 0]]]]), np.array([100.0, 200])
    calls = []

    def matmul(left, right):
        calls.append(1)
        return np.matmul(left, right)

    def columns(images, kernel, **settings):
        return np.concatenate([cols, 1000 * cols])

    images = np.concatenate([x, 1000 * x])
    out = impl.conv2d_im2col(images, w, b, size=counted, columns=columns, matmul=matmul)

    first, second = np.array([[51.0, 62], [84, 95]]), np.array([[2.0, 3], [5, 6]])
    one, thousand = ([k * first + 100, k * second + 200] for k in (1, 1000))
    assert_close(out, np.array([one, thousand]), name="feature maps")
    assert len(calls) == 1, f"matmul was called {len(calls)} times"


# ---- 5 backward --------------------------------------------------------------------------------------------


@number("5.p1")
@weight(1)
@tags("backward")
def test_gradient_of_the_images_by_hand(impl):
    """Four pixels and two taps, and 3 x 3 pixels and 2 x 2 taps: dx done by hand."""
    dx, _, _ = impl.conv2d_backward(image([1, 10, 100]), image([1, 2, 3, 4]), image([5, 7]))

    assert_close(dx, image([5, 57, 570, 700]), name="dx")

    x, w, dout = image([1, 2, 3], [4, 5, 6], [7, 8, 9]), image([5, 7], [2, 3]), image([1, 10], [100, 1000])

    dx, _, _ = impl.conv2d_backward(dout, x, w)

    assert_close(dx, image([5, 57, 70], [502, 5723, 7030], [200, 2300, 3000]), name="dx of 3 x 3")


@number("5.p2")
@weight(1)
@tags("backward")
def test_gradients_of_weights_and_biases_by_hand(impl):
    """The same two cases: dw and db done by hand."""
    _, dw, db = impl.conv2d_backward(image([1, 10, 100]), image([1, 2, 3, 4]), image([5, 7]))

    assert_close(dw, image([321, 432]), name="dw")
    assert_close(db, np.array([111.0]), name="db")

    x, w, dout = image([1, 2, 3], [4, 5, 6], [7, 8, 9]), image([5, 7], [2, 3]), image([1, 10], [100, 1000])

    _, dw, db = impl.conv2d_backward(dout, x, w)

    assert_close(dw, image([5421, 6532], [8754, 9865]), name="dw of 2 x 2")
    assert_close(db, np.array([1111.0]), name="db of four windows")


@number("5.p3")
@weight(1)
@tags("backward")
def test_backward_with_stride_by_hand(impl):
    """With stride 2 over five pixels the last is in no window, and its gradient is 0."""
    x, w, dout = image([1, 2, 3, 4, 5]), image([5, 7]), image([1, 10])

    dx, dw, _ = impl.conv2d_backward(dout, x, w, stride=(1, 2))

    assert_close(dx, image([5, 7, 50, 70, 0]), name="dx")
    assert_close(dw, image([31, 42]), name="dw")


@number("5.p4")
@weight(1)
@tags("backward")
def test_gradients_are_autograds(impl, rng):
    """Two images, two channels, three filters, padding and dilation: what torch's autograd finds for torch's
    own convolution."""
    settings = {"padding": (1, 0), "dilation": (1, 2)}
    arrays = rng.standard_normal((2, 2, 4, 5)), rng.standard_normal((3, 2, 2, 2)), rng.standard_normal(3)
    x, w, b = (torch.tensor(array, requires_grad=True) for array in arrays)
    out = torch.nn.functional.conv2d(x, w, b, **settings)
    dout = rng.standard_normal(out.shape)
    out.backward(torch.tensor(dout))

    dx, dw, db = impl.conv2d_backward(dout, *arrays[:2], **settings)

    assert_close(dx, x.grad.numpy(), name="dx")
    assert_close(dw, w.grad.numpy(), name="dw")
    assert_close(db, b.grad.numpy(), name="db")


# ---- 6 pooling ---------------------------------------------------------------------------------------------


@number("6.p1")
@weight(1)
@tags("pooling")
def test_maxima_by_hand(impl):
    """Two windows of 2 x 2 with the maxima 5 and 2; windows that overlap; negative pixels beside padding."""
    corners = image([1, 5, 2, 0], [3, 4, 2, 2])

    assert_close(impl.max_pool2d(corners, 2, size=counted), image([5, 2]), name="maxima")
    overlapping = impl.max_pool2d(corners, 2, stride=1, size=counted)
    assert_close(overlapping, image([5, 5, 2]), name="maxima of overlapping windows")
    padded = impl.max_pool2d(image([-4, -8]), (1, 2), stride=(1, 2), padding=(0, 1), size=counted)
    assert_close(padded, image([-4, -8]), name="maxima with padding")


@number("6.p2")
@weight(1)
@tags("pooling")
def test_gradient_of_maxima_by_hand(impl):
    """Two windows of 2 x 2, the second with equal maxima; two windows that share their maximum; two that hang
    over the edge."""
    corners = image([1, 5, 2, 0], [3, 4, 2, 2])

    plain = impl.max_pool2d_backward(image([8, 4]), corners, 2)
    shared = impl.max_pool2d_backward(image([1, 10]), image([1, 3, 2]), (1, 2), stride=1)
    padded = impl.max_pool2d_backward(image([1, 10]), image([-4, -8]), (1, 2), stride=2, padding=(0, 1))

    assert_close(plain, image([0, 8, 4, 0], [0, 0, 0, 0]), name="gradient of the maxima")
    assert_close(shared, image([0, 11, 0]), name="gradient of a shared maximum")
    assert_close(padded, image([1, 10]), name="gradient with padding")


@number("6.p3")
@weight(1)
@tags("pooling")
def test_gradient_of_means_by_hand(impl):
    """Two windows of 2 x 2; two windows that share a pixel; two that hang over the edge."""
    plain = impl.avg_pool2d_backward(image([8, 4]), image([1, 5, 2, 0], [3, 4, 2, 2]), 2)
    shared = impl.avg_pool2d_backward(image([2, 20]), image([1, 3, 2]), (1, 2), stride=1)
    padded = impl.avg_pool2d_backward(image([2, 20]), image([-4, -8]), (1, 2), stride=2, padding=(0, 1))

    assert_close(plain, image([2, 2, 1, 1], [2, 2, 1, 1]), name="gradient of the means")
    assert_close(shared, image([1, 11, 10]), name="gradient of overlapping means")
    assert_close(padded, image([1, 10]), name="gradient with padding")


# ---- 7 skips -----------------------------------------------------------------------------------------------


@number("7.p1")
@weight(1)
@tags("skips")
def test_gradient_of_a_block_is_its_slope(impl, rng):
    """<dx, v> is the slope of <dout, block(x + t v)> at t = 0, by central differences; with a shortcut too."""
    x, v, dout = (rng.standard_normal((2, 3, 4, 4)) for _ in range(3))
    for name, shortcut, vjp in (("no shortcut", None, None), ("a shortcut", lambda z: -2 * z, lambda g: -2 * g)):

        def loss(t, shortcut=shortcut):
            return np.sum(dout * impl.residual_block(x + t * v, np.sin, shortcut=shortcut))

        dx = impl.residual_backward(dout, lambda g: g * np.cos(x), shortcut_vjp=vjp)

        # the differences are off by h² / 6 times a third derivative: 1e-9
        slope = (loss(1e-5) - loss(-1e-5)) / 2e-5
        assert_close(np.sum(dx * v), slope, rtol=1e-6, atol=1e-6, name=f"<dx, v> with {name}")


@number("7.p2")
@weight(1)
@tags("skips")
def test_join_by_hand(impl):
    """Two channels of 4 x 4 beside one of 2 x 2: three channels of 2 x 2, the center of the skip first. Of
    three pixels in a row and two, the odd one goes at the end."""
    skip = np.arange(32.0).reshape(1, 2, 4, 4)

    both = impl.unet_join(skip, np.full((1, 1, 2, 2), -1.0))
    odd = impl.unet_join(image([1, 2, 3]), image([4, 5]))

    want = np.array([[[[5.0, 6], [9, 10]], [[21, 22], [25, 26]], [[-1, -1], [-1, -1]]]])
    assert_close(both, want, name="joined features")
    assert_close(odd, np.array([[[[1.0, 2]], [[4, 5]]]]), name="joined features, an odd pixel to cut")


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
    """The edges of the "0" once more, as tensors, in three precisions: two filters, two biases."""
    x = torch.tensor(zero_image(), dtype=dtype)[None, None].to(device)
    w = torch.tensor(np.stack([edge_kernel(), -edge_kernel()]), dtype=dtype)[:, None].to(device)
    b = torch.tensor([0, 2], dtype=dtype).to(device)

    out = impl.conv2d_torch(x, w, b, size=counted)

    edges = np.array([[0.7, 2.1, 0.7], [0, 0, 0], [-0.7, -2.1, -0.7]])
    want = torch.tensor(np.stack([edges, 2 - edges]), dtype=dtype)
    assert_close(out.cpu(), want[None], name="feature maps")


@number("8.p2")
@weight(1)
@tags("device")
def test_autograd_through_the_convolution(impl, device, vjp):
    """Autograd finds the gradients that Task 5 has by hand."""
    x, w, dout = (torch.tensor(image(row)).to(device) for row in ([1, 2, 3, 4], [5, 7], [1, 10, 100]))
    b = torch.zeros(1, dtype=torch.float64).to(device)

    dx, dw, db = vjp(impl.conv2d_torch, x, w, b, wrt=(0, 1, 2), cotangent=dout, size=counted)

    assert_close(dx.cpu(), torch.tensor(image([5, 57, 570, 700])), name="dx")
    assert_close(dw.cpu(), torch.tensor(image([321, 432])), name="dw")
    assert_close(db.cpu(), torch.tensor([111.0], dtype=torch.float64), name="db")


@number("8.p3")
@weight(0)
@tags("device")
@pytest.mark.gpu
def test_float32_is_float32_on_a_gpu(impl, rng, device):
    """On a GPU, for no points: sums of 2,304 products keep float32's seven digits, where TensorFloat-32 would keep three, and
    a second call gives the same bits."""
    x = torch.from_numpy(rng.standard_normal((2, 256, 10, 10))).float().to(device)
    w = torch.from_numpy(rng.standard_normal((16, 256, 3, 3)) / 48).float().to(device)  # outputs of order one

    once, again = (impl.conv2d_torch(x, w, padding=1, size=counted).cpu() for _ in range(2))

    exact = torch.nn.functional.conv2d(x.cpu().double(), w.cpu().double(), padding=1)
    assert_close(once, exact.float(), rtol=1e-5, atol=1e-5, name="output")
    assert_close(again, once, rtol=0.0, atol=0.0, name="output of a second call")
