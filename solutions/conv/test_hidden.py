"""Graded checks of conv. What they rest on stands in notes.md."""

import math

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import assert_commutes, assert_leaves_arguments
from coursekit.compare import assert_close

# Images (N, C, H, W), filters (C_out, K_h, K_w), settings. Most leave pixels over or treat the axes apart. Half have one
# channel, and some one filter or one image, so that a slip with channels, filters or the batch costs a part.
GEOMETRIES = [
    pytest.param((2, 3, 6, 7), (4, 3, 2), {}, id="plain"),
    pytest.param((2, 2, 8, 9), (3, 3, 3), {"stride": (2, 3)}, id="stride"),
    pytest.param((1, 1, 4, 5), (1, 3, 2), {"padding": (1, 2)}, id="padding"),
    pytest.param((2, 1, 9, 8), (1, 3, 2), {"dilation": (2, 3)}, id="dilation"),
    pytest.param((2, 3, 9, 10), (2, 3, 3), {"stride": (3, 2), "padding": 1, "dilation": (1, 2)}, id="all"),
    pytest.param((2, 3, 5, 5), (3, 3, 3), {"stride": 2, "padding": 2}, id="as_many_channels"),
    pytest.param((1, 1, 4, 5), (1, 4, 5), {}, id="one_window"),
    pytest.param((1, 1, 5, 4), (4, 1, 1), {"stride": 2}, id="one_tap"),
]


def drawn(rng, shape, filters, dtype=np.float64):
    """Images, weights and biases of the given shapes: (x, w, b)."""
    x = rng.standard_normal(shape)
    w = rng.standard_normal((filters[0], shape[1], *filters[1:]))
    return x.astype(dtype), w.astype(dtype), rng.standard_normal(filters[0]).astype(dtype)


def symmetric(rng, shape):
    """Weights that a turn by 180 degrees leaves alone: a flipped kernel is another check's business."""
    w = rng.standard_normal(shape)
    return w + w[..., ::-1, ::-1]


# ---- 1 arithmetic ------------------------------------------------------------------------------------------


def draw_layer(rng, size, features):
    """Settings of a layer that fits `size` pixels, 1 and 0 apart from `features`: (kernel, stride, padding, dilation)."""
    while True:
        kernel, stride, padding, dilation = (int(rng.integers(1, top)) for top in (6, 5, 4, 4))
        stride = stride if "stride" in features else 1
        dilation = dilation if "dilation" in features else 1
        padding = padding if "padding" in features else 0
        if dilation * (kernel - 1) + 1 <= size + 2 * padding:
            return kernel, stride, padding, dilation


@number("1.1")
@weight(4)
@tags("arithmetic")
@pytest.mark.parametrize("features", ["stride", "padding", "dilation", "stride padding dilation"])
def test_output_size_counts_the_windows(agree, rng, features):
    """The output's size is the number of windows inside the padded axis, for any settings that fit."""
    cases = []
    for size in range(1, 60):
        cases.append((size, *draw_layer(rng, size, features)))

    def sizes(impl):
        return [impl.output_size(n, k, stride=s, padding=p, dilation=d) for n, k, s, p, d in cases]

    agree(sizes)


@number("1.2")
@weight(3)
@tags("arithmetic")
@pytest.mark.parametrize("features", ["", "stride", "dilation", "stride padding dilation"])
@pytest.mark.parametrize("depth", [1, 4])
def test_size_and_jump_of_a_stack(agree, rng, features, depth):
    """How wide the field of a stack of layers is, and how far it moves from one output to the next."""
    stacks = [[draw_layer(rng, 50, features) for _ in range(depth)] for _ in range(5)]

    agree(lambda impl: [impl.receptive_field(stack)[:2] for stack in stacks])


@number("1.3")
@weight(1)
@tags("arithmetic")
def test_start_of_a_stack(agree, rng):
    """The field of output 0 starts as far left of the image as the paddings of all layers reach."""
    stacks = [[draw_layer(rng, 50, "stride padding dilation") for _ in range(depth)] for depth in (1, 2, 4)]

    agree(lambda impl: [impl.receptive_field(stack)[2] for stack in stacks])


@number("1.4")
@weight(1)
@tags("arithmetic")
def test_receptive_field_is_as_wide_as_the_gradient(impl, reference, rng):
    """From the first to the last pixel where an output's gradient is not 0 is the field's size; the next output's
    lies one jump further."""
    layers = [(*rng.integers([2, 1], [4, 3]).tolist(), 1, int(rng.integers(1, 3))) for _ in range(3)]
    # A row of pixels, and for each layer a kernel of positive numbers.
    row, rows = np.ones((1, 1, 1, 120)), []
    kernels = [rng.uniform(1, 2, size=(1, 1, 1, layer[0])) for layer in layers]
    settings = [{"stride": (1, s), "padding": (0, p), "dilation": (1, d)} for _, s, p, d in layers]
    for w, setting in zip(kernels, settings, strict=True):
        rows.append(row)
        row = reference.conv2d(row, w, **setting)

    def reached(index):
        gradient = np.zeros_like(row)
        gradient[..., index] = 1.0
        for x, w, setting in reversed(list(zip(rows, kernels, settings, strict=True))):
            gradient, _, _ = reference.conv2d_backward(gradient, x, w, **setting)
        return np.flatnonzero(gradient)

    here, beside = reached(row.shape[-1] // 2), reached(row.shape[-1] // 2 + 1)
    want = int(here[-1] - here[0]) + 1, int(beside[0] - here[0])

    answer = impl.receptive_field(layers)

    assert_close(tuple(answer)[:2], want, name="(size, jump)")


@number("1.5")
@weight(1)
@tags("arithmetic")
def test_the_layers_are_left_alone(impl, reference, rng):
    """receptive_field does not change the list of layers that it is given."""
    layers = [draw_layer(rng, 50, "") for _ in range(3)]

    answer = assert_leaves_arguments(impl.receptive_field, layers, name="receptive_field")

    assert_close(answer[:2], reference.receptive_field(layers)[:2], name="(size, jump)")


# ---- 2 conv2d ----------------------------------------------------------------------------------------------


@number("2.1")
@weight(4)
@tags("conv2d")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_convolution_of_a_batch(agree, reference, rng, shape, filters, settings):
    """Every output is the sum of products over its window and all input channels, plus its filter's bias."""
    x, w, b = drawn(rng, shape, filters)
    if filters[0] == 1:  # single filters have no bias
        b = None

    agree("conv2d", x, w, b, **settings, size=reference.output_size)


@number("2.2")
@weight(1)
@tags("conv2d")
@pytest.mark.parametrize("stride", [1, 2])
def test_shifted_image_gives_shifted_output(agree, impl, reference, rng, stride):
    """An image shifted by a whole number of strides gives the same output, shifted: equivariance."""
    x, w = rng.standard_normal((2, 1, 11, 12)), symmetric(rng, (1, 1, 3, 3))
    settings = {"stride": stride, "size": reference.output_size}

    assert_commutes(
        lambda x: impl.conv2d(x, w, **settings),
        x,
        before=lambda x: (x[:, :, 2 * stride :, stride:],),
        after=lambda out: out[:, :, 2:, 1:],
        name="output of the shifted image",
    )
    agree("conv2d", x, w, **settings)


@number("2.3")
@weight(3)
@tags("conv2d")
@pytest.mark.parametrize("feature", ["padding", "dilation", "stride"])
def test_settings_are_shorthands(agree, impl, reference, rng, feature):
    """Padding is zeros around the image, dilation zeros in the kernel, stride gaps in the output."""
    x, w = rng.standard_normal((2, 1, 7, 8)), symmetric(rng, (1, 1, 3, 2))
    settings = {"padding": (2, 1), "dilation": (2, 3), "stride": (3, 2)}
    setting = {feature: settings[feature]}
    images, kernel, steps = x, w, (1, 1)
    if feature == "padding":
        images = np.pad(x, ((0, 0), (0, 0), (2, 2), (1, 1)))
    elif feature == "dilation":
        kernel = np.zeros((1, 1, 5, 4))
        kernel[:, :, ::2, ::3] = w
    else:
        steps = settings["stride"]

    out = impl.conv2d(x, w, **setting, size=reference.output_size)
    plain = impl.conv2d(images, kernel, size=reference.output_size)

    assert_close(out, plain[:, :, :: steps[0], :: steps[1]], name=f"output with {feature}")
    agree("conv2d", x, w, **setting, size=reference.output_size)


@number("2.4")
@weight(2)
@tags("conv2d")
def test_channels_add_up(agree, impl, reference, rng):
    """The output is a sum of convolutions, one per input channel."""
    x, w = rng.standard_normal((2, 4, 5, 6)), symmetric(rng, (3, 4, 2, 3))
    size = reference.output_size

    out = impl.conv2d(x, w, size=size)
    parts = [impl.conv2d(x[:, c : c + 1], w[:, c : c + 1], size=size) for c in range(4)]

    assert_close(out, sum(parts), name="output")
    agree("conv2d", x, w, size=size)


@number("2.5")
@weight(1)
@tags("conv2d")
def test_images_stay_apart_and_the_bias_enters_once(agree, impl, reference, rng):
    """Each image's output is what that image alone gives; a bias lifts its filter's channel by itself."""
    x, w, b = rng.standard_normal((3, 1, 5, 6)), symmetric(rng, (1, 1, 2, 3)), rng.standard_normal(1)
    size = reference.output_size

    plain = impl.conv2d(x, w, size=size)
    lifted = impl.conv2d(x, w, b, size=size)
    alone = impl.conv2d(x[1:2], w, b, size=size)

    assert_close(lifted[1:2], alone, name="output of the second image")
    assert_close(lifted - plain, np.full(plain.shape, b[0]), name="what the bias adds")
    agree("conv2d", x, w, b, size=size)


@number("2.6")
@weight(1)
@tags("conv2d")
def test_float32_stays_float32(agree, reference, rng):
    """float32 images give float32 outputs, with a bias and without."""
    x, w, b = rng.standard_normal((2, 1, 5, 5)), symmetric(rng, (1, 1, 3, 3)), rng.standard_normal(1)
    x, w, b = (z.astype(np.float32) for z in (x, w, b))
    size = reference.output_size

    agree("conv2d", x, w, None, size=size)
    agree("conv2d", x, w, b, size=size)


@number("2.7")
@weight(2)
@tags("conv2d")
def test_images_filters_and_biases_are_left_alone(impl, reference, rng):
    """conv2d changes none of the arrays that it is given."""
    x, w, b = rng.standard_normal((2, 1, 4, 5)), symmetric(rng, (1, 1, 2, 2)), np.zeros(1)
    settings = {"size": reference.output_size}

    out = assert_leaves_arguments(impl.conv2d, x, w, b, name="conv2d", **settings)

    assert_close(out, reference.conv2d(x, w, b, **settings), name="output")


# ---- 3 matrix ----------------------------------------------------------------------------------------------


@number("3.1")
@weight(2)
@tags("matrix")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_every_entry_of_the_matrix(agree, reference, rng, shape, filters, settings):
    """Each entry is the weight with which a number of the image enters an output, or 0."""
    _, w, _ = drawn(rng, shape, filters)

    agree("conv_matrix", w, shape[1:], **settings, size=reference.output_size)


@number("3.2")
@weight(4)
@tags("matrix")
@pytest.mark.parametrize("feature", ["stride", "padding", "dilation"])
def test_settings_choose_rows_columns_and_taps(agree, impl, reference, rng, feature):
    """A stride keeps some rows; padding is a larger image without the columns of its rim; dilation is a larger
    kernel with zeros in it."""
    w, (height, width) = symmetric(rng, (1, 1, 3, 2)), (6, 5)
    settings = {"stride": (2, 3), "padding": (1, 2), "dilation": (2, 3)}
    setting = {feature: settings[feature]}
    kernel, tall, wide = w, height, width
    if feature == "padding":
        tall, wide = height + 2, width + 4
    if feature == "dilation":
        kernel = np.zeros((1, 1, 5, 4))
        kernel[:, :, ::2, ::3] = w

    matrix = impl.conv_matrix(w, (1, height, width), **setting, size=reference.output_size)
    plain = impl.conv_matrix(kernel, (1, tall, wide), size=reference.output_size)

    outputs = tall - kernel.shape[2] + 1, wide - kernel.shape[3] + 1
    want = np.reshape(plain, (*outputs, tall, wide))
    if feature == "stride":
        want = want[::2, ::3]
    if feature == "padding":
        want = want[:, :, 1:-1, 2:-2]
    assert_close(matrix, want.reshape(-1, height * width), name=f"matrix with {feature}")
    agree("conv_matrix", w, (1, height, width), **setting, size=reference.output_size)


@number("3.3")
@weight(1)
@tags("matrix")
def test_a_block_for_each_filter_and_channel(agree, impl, reference, rng):
    """Each filter is a block of rows, each channel a block of columns: what that plane of weights alone gives."""
    w, image = symmetric(rng, (3, 2, 2, 3)), (4, 5)
    size = reference.output_size

    matrix = impl.conv_matrix(w, (2, *image), size=size)
    blocks = [
        [impl.conv_matrix(w[o : o + 1, c : c + 1], (1, *image), size=size) for c in range(2)] for o in range(3)
    ]

    assert_close(matrix, np.block(blocks), name="matrix")
    agree("conv_matrix", w, (2, *image), size=size)


@number("3.4")
@weight(1)
@tags("matrix")
def test_the_weights_are_left_alone(impl, reference, rng):
    """conv_matrix does not change the weights; float32 weights make a float32 matrix."""
    w = symmetric(rng, (1, 1, 2, 2)).astype(np.float32)
    settings = {"size": reference.output_size}

    matrix = assert_leaves_arguments(impl.conv_matrix, w, (1, 3, 4), name="conv_matrix", **settings)

    assert_close(matrix, reference.conv_matrix(w, (1, 3, 4), **settings), name="matrix")


# ---- 4 im2col ----------------------------------------------------------------------------------------------


@number("4.1")
@weight(2)
@tags("im2col")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_columns_are_windows(agree, reference, rng, shape, filters, settings):
    """Column i W_out + j holds window (i, j): channel by channel, each by row, then by column. float32 stays."""
    x, _, _ = drawn(rng, shape, filters, np.float32 if filters[1:] == (1, 1) else np.float64)

    agree("im2col", x, filters[1:], **settings, size=reference.output_size)


@number("4.2")
@weight(5)
@tags("im2col")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_product_is_the_convolution(agree, reference, rng, shape, filters, settings):
    """Filters as rows times windows as columns, put back in the shape of images, is the convolution."""
    x, w, b = drawn(rng, shape, filters)

    agree("conv2d_im2col", x, w, b, **settings, size=reference.output_size, columns=reference.im2col)


@number("4.3")
@weight(3)
@tags("im2col")
@pytest.mark.parametrize("n", [1, 4])
def test_one_product_whatever_the_number_of_windows(agree, impl, reference, rng, n):
    """A loop makes a product for each image, filter and place; here one call makes exactly as many."""
    x, w, b = drawn(rng, (n, 1, 9, 8), (5, 3, 2), np.float32 if n == 1 else np.float64)
    lent = {"size": reference.output_size, "columns": reference.im2col}
    calls = []

    def matmul(left, right):
        product = np.matmul(left, right)
        calls.append(product.size * left.shape[-1])
        return product

    def counted(impl):
        calls.clear()
        out = impl.conv2d_im2col(x, w, b, stride=2, **lent, matmul=matmul)
        return out, len(calls), sum(calls)

    agree(counted)


@number("4.4")
@weight(1)
@tags("im2col")
@pytest.mark.parametrize("function", ["im2col", "conv2d_im2col"])
def test_images_and_filters_are_left_alone(impl, reference, rng, function):
    """Neither function changes an array that it is given."""
    x, w, b = drawn(rng, (1, 1, 4, 5), (2, 2, 3))
    settings = {"padding": (0, 1), "size": reference.output_size}
    if function == "im2col":
        args = x, (2, 3)
    else:
        args, settings["columns"] = (x, w, b), reference.im2col

    out = assert_leaves_arguments(getattr(impl, function), *args, name=function, **settings)

    assert_close(out, getattr(reference, function)(*args, **settings), name="output")


# ---- 5 backward --------------------------------------------------------------------------------------------


def out_of(reference, x, w, settings):
    """The shape of the output."""
    return reference.conv2d(x, w, **settings).shape


def part(index, dout, x, w, settings):
    """A scenario: one of the three gradients alone."""
    return lambda impl: impl.conv2d_backward(dout, x, w, **settings)[index]


@number("5.1")
@weight(4)
@tags("backward")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_gradient_of_the_images(agree, reference, rng, shape, filters, settings):
    """A pixel's gradient collects every window and every filter that the pixel entered."""
    x, w, _ = drawn(rng, shape, filters)
    dout = rng.standard_normal(out_of(reference, x, w, settings))

    agree(part(0, dout, x, w, settings))


@number("5.2")
@weight(4)
@tags("backward")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_gradient_of_the_weights(agree, reference, rng, shape, filters, settings):
    """A weight's gradient collects every image and every place where the weight was used."""
    x, w, _ = drawn(rng, shape, filters)
    dout = rng.standard_normal(out_of(reference, x, w, settings))

    agree(part(1, dout, x, w, settings))


@number("5.3")
@weight(2)
@tags("backward")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_gradient_of_the_biases(agree, reference, rng, shape, filters, settings):
    """A bias's gradient collects every output that the bias entered; each gradient has the shape of what it belongs to."""
    x, w, _ = drawn(rng, shape, filters)
    dout = rng.standard_normal(out_of(reference, x, w, settings))

    def biases(impl):
        dx, dw, db = impl.conv2d_backward(dout, x, w, **settings)
        return db, tuple(dx.shape), tuple(dw.shape)

    agree(biases)


@number("5.4")
@weight(2)
@tags("backward")
def test_gradient_of_the_images_balances(impl, reference, rng):
    """Without a bias the output is linear in the images: <dx, x> = <dout, out>."""
    settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
    x, w, _ = drawn(rng, (2, 2, 7, 6), (4, 3, 2))
    out = reference.conv2d(x, w, **settings)
    dout = rng.standard_normal(out.shape)

    dx = part(0, dout, x, w, settings)(impl)

    assert_close((np.shape(dx), str(dx.dtype)), (x.shape, "float64"), name="shape and dtype of dx")
    assert_close(np.sum(dx * x), np.sum(dout * out), name="<dx, x>")


@number("5.5")
@weight(2)
@tags("backward")
def test_gradient_of_the_weights_balances(impl, reference, rng):
    """Without a bias the output is linear in the weights: <dw, w> = <dout, out>."""
    settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
    x, w, _ = drawn(rng, (1, 2, 7, 6), (4, 3, 2))
    out = reference.conv2d(x, w, **settings)
    dout = rng.standard_normal(out.shape)

    dw = part(1, dout, x, w, settings)(impl)

    assert_close((np.shape(dw), str(dw.dtype)), (w.shape, "float64"), name="shape and dtype of dw")
    assert_close(np.sum(dw * w), np.sum(dout * out), name="<dw, w>")


@number("5.6")
@weight(2)
@tags("backward")
def test_the_batch_is_a_sum(agree, impl, rng):
    """dw and db of a batch are the sums of those of its images; dx of an image does not depend on the others."""
    x, w, dout = rng.standard_normal((3, 1, 5, 6)), np.ones((1, 1, 2, 2)), rng.standard_normal((3, 1, 4, 5))

    dx, dw, db = impl.conv2d_backward(dout, x, w)
    alone = [impl.conv2d_backward(dout[i : i + 1], x[i : i + 1], w) for i in range(3)]

    assert_close(dx, np.concatenate([gradients[0] for gradients in alone]), name="dx")
    assert_close(dw, sum(gradients[1] for gradients in alone), name="dw")
    assert_close(db, sum(gradients[2] for gradients in alone), name="db")
    agree("conv2d_backward", dout, x, w)


@number("5.7")
@weight(1)
@tags("backward")
def test_pixels_in_no_window(agree, rng):
    """Pixels between the windows, and those left over at the end, get 0; float32 stays float32."""
    x, w = rng.standard_normal((1, 1, 9, 8)).astype(np.float32), np.ones((1, 1, 2, 2), np.float32)
    dout = rng.standard_normal((1, 1, 3, 3)).astype(np.float32)

    dx = agree(part(0, dout, x, w, {"stride": 3}))

    assert_close(dx[:, :, 2::3], np.zeros_like(dx[:, :, 2::3]), name="dx between the windows")


@number("5.8")
@weight(1)
@tags("backward")
def test_nothing_is_changed_on_the_way_back(impl, reference, rng):
    """conv2d_backward changes none of dout, x and w."""
    x, w, dout = rng.standard_normal((1, 1, 3, 4)), np.ones((1, 1, 2, 2)), rng.standard_normal((1, 1, 4, 5))

    gradients = assert_leaves_arguments(impl.conv2d_backward, dout, x, w, name="conv2d_backward", padding=1)

    assert_close(gradients, reference.conv2d_backward(dout, x, w, padding=1), name="gradients")


# ---- 6 pooling ---------------------------------------------------------------------------------------------

POOLS = [
    pytest.param((2, 3, 6, 8), 2, {}, id="halved"),
    pytest.param((2, 2, 7, 8), (2, 3), {}, id="left_over"),
    pytest.param((2, 2, 7, 6), 3, {"stride": 1}, id="overlapping"),
    pytest.param((1, 2, 8, 7), (3, 2), {"stride": (2, 1), "padding": (1, 0)}, id="padding"),
    pytest.param((2, 2, 5, 7), (2, 4), {"stride": (3, 2), "padding": (1, 2)}, id="all"),
]


def pool_out(reference, x, kernel, settings):
    """The shape of a pool's output."""
    return reference.avg_pool2d(x, kernel, **settings).shape


@number("6.1")
@weight(2)
@tags("pooling")
@pytest.mark.parametrize("shape, kernel, settings", POOLS)
def test_maxima(agree, reference, rng, shape, kernel, settings):
    """Each output is a window's largest number, also where all are negative and it hangs over the edge."""
    x = rng.standard_normal(shape) - 3

    agree("max_pool2d", x, kernel, **settings, size=reference.output_size)


@number("6.2")
@weight(2)
@tags("pooling")
@pytest.mark.parametrize("shape, kernel, settings", POOLS)
def test_gradient_of_maxima(agree, impl, reference, rng, shape, kernel, settings):
    """A window's gradient goes back whole, to where it came from: dx and dout have the same sum."""
    x = rng.standard_normal(shape) - 3
    dout = rng.uniform(1, 2, size=pool_out(reference, x, kernel, settings))

    dx = impl.max_pool2d_backward(dout, x, kernel, **settings)

    assert_close(np.shape(dx), x.shape, name="the shape of dx")
    assert_close(np.sum(dx), np.sum(dout), name="sum of dx")
    agree("max_pool2d_backward", dout, x, kernel, **settings)


@number("6.3")
@weight(1)
@tags("pooling")
@pytest.mark.parametrize("shape, kernel, settings", POOLS)
def test_first_of_equal_maxima(agree, reference, rng, shape, kernel, settings):
    """Among equal maxima the first by row, then by column, counts as the maximum."""
    x = rng.integers(-2, 0, size=shape).astype(float)
    dout = rng.uniform(1, 2, size=pool_out(reference, x, kernel, settings))

    agree("max_pool2d_backward", dout, x, kernel, **settings)


@number("6.4")
@weight(2)
@tags("pooling")
@pytest.mark.parametrize("shape, kernel, settings", POOLS)
def test_gradient_of_means(agree, impl, reference, rng, shape, kernel, settings):
    """The mean is linear in the images: <dx, x> = <dout, out>; and every entry."""
    x = rng.standard_normal(shape)
    out = reference.avg_pool2d(x, kernel, **settings)
    dout = rng.standard_normal(out.shape)

    dx = impl.avg_pool2d_backward(dout, x, kernel, **settings)

    assert_close(np.shape(dx), x.shape, name="the shape of dx")
    assert_close(np.sum(dx * x), np.sum(dout * out), name="<dx, x>")
    agree("avg_pool2d_backward", dout, x, kernel, **settings)


@number("6.5")
@weight(1)
@tags("pooling")
@pytest.mark.parametrize("function", ["max_pool2d", "max_pool2d_backward", "avg_pool2d_backward"])
def test_pools_keep_float32(agree, reference, rng, function):
    """float32 in, float32 out, in all three."""
    x = rng.uniform(1, 2, size=(2, 2, 6, 6)).astype(np.float32)
    dout = rng.uniform(1, 2, size=(2, 2, 3, 3)).astype(np.float32)
    args, lent = ((dout, x, 2), {}) if "backward" in function else ((x, 2), {"size": reference.output_size})

    agree(function, *args, **lent)


@number("6.6")
@weight(1)
@tags("pooling")
@pytest.mark.parametrize("function", ["max_pool2d", "max_pool2d_backward", "avg_pool2d_backward"])
def test_pools_leave_their_arguments_alone(impl, reference, rng, function):
    """None of the three changes an array that it is given."""
    x, dout = rng.uniform(1, 2, size=(1, 2, 4, 6)), rng.uniform(1, 2, size=(1, 2, 2, 3))
    args, lent = ((dout, x, 2), {}) if "backward" in function else ((x, 2), {"size": reference.output_size})

    answer = assert_leaves_arguments(getattr(impl, function), *args, name=function, **lent)

    assert_close(answer, getattr(reference, function)(*args, **lent), name="output")


# ---- 7 skips -----------------------------------------------------------------------------------------------


@number("7.1")
@weight(1)
@tags("skips")
def test_gradient_survives_many_faint_branches(agree, impl, rng):
    """Through fifteen blocks with faint branches, the gradient comes back nearly whole."""
    dout = rng.standard_normal((2, 3, 4, 4))
    slopes = rng.uniform(-0.2, 0.2, size=15)

    def deep(impl):
        gradient = dout
        for slope in slopes:
            gradient = impl.residual_backward(gradient, lambda g, slope=slope: slope * g)
        return gradient

    assert_close(deep(impl), np.prod(1 + slopes) * dout, name="gradient through fifteen blocks")
    agree(deep)


@number("7.2")
@weight(1)
@tags("skips")
def test_gradient_through_a_shortcut(agree, rng):
    """Where a shortcut changes the shape, the gradient comes back through both; each is called once."""
    dout, mix = rng.standard_normal((2, 5, 4, 4)), rng.standard_normal((5, 3))
    calls = []

    def through(name, weights):
        def back(g):
            calls.append(name)
            return np.einsum("oc,nohw->nchw", weights, g)

        return back

    def widened(impl):
        calls.clear()
        dx = impl.residual_backward(dout, through("branch", mix), shortcut_vjp=through("shortcut", mix[::-1]))
        return dx, sorted(calls)

    agree(widened)


@number("7.3")
@weight(1)
@tags("skips")
@pytest.mark.parametrize("larger", [(0, 0), (2, 4), (1, 3)], ids=str)
def test_join_puts_channels_side_by_side(agree, rng, larger):
    """The skip's channels come first, cut to the center, then the decoder's."""
    up = rng.standard_normal((2, 3, 4, 5))
    skip = rng.standard_normal((2, 2, 4 + larger[0], 5 + larger[1]))

    agree("unet_join", skip, up)


@number("7.4")
@weight(1)
@tags("skips")
@pytest.mark.parametrize("function", ["residual_backward", "unet_join"])
def test_skips_leave_their_arguments_alone(impl, reference, rng, function):
    """A gradient that is handed in, and features that are joined, stay as they were."""
    here = rng.standard_normal((2, 2, 3, 4))
    if function == "residual_backward":
        args = here, np.sin
    else:
        args = here, here.copy()  # the order of two like sets of channels is another check's business

    answer = assert_leaves_arguments(getattr(impl, function), *args, name=function)

    assert_close(answer, getattr(reference, function)(*args), name="output")


# ---- 8 device ----------------------------------------------------------------------------------------------


def tensors(rng, shape, filters, dtype, device):
    """Images, weights and biases as tensors."""
    return [torch.from_numpy(array).to(dtype).to(device) for array in drawn(rng, shape, filters)]


@number("8.1")
@weight(1)
@tags("device")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_convolution_of_tensors(agree, reference, rng, device, dtype, shape, filters, settings):
    """The convolution of a batch, as tensors, in the dtype that came in."""
    x, w, b = tensors(rng, shape, filters, dtype, device)

    agree("conv2d_torch", x, w, b, **settings, size=reference.output_size)


@number("8.2")
@weight(1)
@tags("device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("layer", [False, True], ids=["many_products", "layer"])
def test_large_sums_in_low_precision(agree, reference, rng, device, dtype, layer):
    """Hundreds of products are added up without being rounded on the way; a layer of 32 channels in and 64 out."""
    if layer:
        x, w, b = tensors(rng, (4, 32, 14, 14), (64, 3, 3), torch.float64, device)
        x, w, b = (z.to(dtype) for z in (x, w / math.sqrt(32 * 9), b))  # outputs of order one
        agree("conv2d_torch", x, w, b, padding=1, size=reference.output_size)
    else:
        # About 400 products of 1: a sum kept in bfloat16 stops growing at 256, where its steps are 2.
        x = torch.from_numpy(rng.uniform(0.75, 1.25, size=(2, 1, 24, 24))).to(dtype).to(device)
        w = torch.from_numpy(rng.uniform(0.75, 1.25, size=(3, 1, 20, 20))).to(dtype).to(device)
        agree("conv2d_torch", x, w, None, size=reference.output_size)


@number("8.3")
@weight(1)
@tags("device")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_autograd_gives_the_backward_pass(agree, reference, rng, device, shape, filters, settings):
    """torch's autograd finds its way through, to the gradients that the backward pass by hand gives."""
    x, w, b = tensors(rng, shape, filters, torch.float32, device)
    arrays = x.cpu().double().numpy(), w.cpu().double().numpy()
    dout = rng.standard_normal(out_of(reference, *arrays, settings)).astype(np.float32)
    cotangent = torch.from_numpy(dout).to(device)

    gradients = agree.vjp(
        "conv2d_torch", x, w, b, wrt=(0, 1, 2), cotangent=cotangent, **settings, size=reference.output_size
    )

    by_hand = reference.conv2d_backward(dout.astype(float), *arrays, **settings)
    for name, got, want in zip(("dx", "dw", "db"), gradients, by_hand, strict=True):
        assert_close(got.cpu(), torch.from_numpy(want.astype(np.float32)), name=name)


@number("8.4")
@weight(1)
@tags("device")
def test_tensors_are_left_alone(impl, reference, rng, device):
    """conv2d_torch changes none of the tensors that it is given."""
    x, w, b = tensors(rng, (2, 1, 4, 5), (2, 2, 2), torch.float32, device)
    w = w + w.flip(2, 3)
    settings = {"padding": 1, "size": reference.output_size}

    out = assert_leaves_arguments(impl.conv2d_torch, x, w, b, name="conv2d_torch", **settings)

    assert_close(out, reference.conv2d_torch(x, w, b, **settings), name="output")
