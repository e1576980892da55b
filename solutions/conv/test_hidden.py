"""Graded checks of conv. What they rest on stands in notes.md."""

import math

import numpy as np
import pytest
import torch
from gradescope_utils.autograder_utils.decorators import number, tags, weight

from coursekit.checks import refused
from coursekit.compare import assert_close

# Images (N, C, H, W), filters (C_out, K_h, K_w), settings. Most leave pixels over or treat the axes apart.
GEOMETRIES = [
    pytest.param((2, 3, 6, 7), (4, 3, 2), {}, id="plain"),
    pytest.param((2, 2, 8, 9), (3, 3, 3), {"stride": (2, 3)}, id="stride"),
    pytest.param((2, 2, 4, 5), (3, 3, 2), {"padding": (1, 2)}, id="padding"),
    pytest.param((2, 2, 9, 8), (3, 3, 2), {"dilation": (2, 3)}, id="dilation"),
    pytest.param((2, 3, 9, 10), (2, 3, 3), {"stride": (3, 2), "padding": 1, "dilation": (1, 2)}, id="all"),
    pytest.param((2, 3, 5, 5), (3, 3, 3), {"stride": 2, "padding": 2}, id="as_many_channels"),
    pytest.param((3, 2, 4, 5), (2, 4, 5), {}, id="one_window"),
    pytest.param((2, 3, 5, 4), (4, 1, 1), {"stride": 2}, id="one_tap"),
]


def drawn(rng, shape, filters, dtype=np.float64):
    """Images, weights and biases of the given shapes: (x, w, b)."""
    x = rng.standard_normal(shape)
    w = rng.standard_normal((filters[0], shape[1], *filters[1:]))
    return x.astype(dtype), w.astype(dtype), rng.standard_normal(filters[0]).astype(dtype)


# ---- 1 arithmetic ------------------------------------------------------------------------------------------


def draw_layer(rng, size):
    """Settings of a layer that fits `size` pixels: (kernel, stride, padding, dilation)."""
    while True:
        kernel, stride, padding, dilation = (int(rng.integers(1, top)) for top in (6, 5, 4, 4))
        padding -= 1
        if dilation * (kernel - 1) + 1 <= size + 2 * padding:
            return kernel, stride, padding, dilation


@number("1.1")
@weight(3)
@tags("arithmetic")
def test_output_size_counts_the_windows(agree, rng):
    """The output's size is the number of windows inside the padded axis, for any settings that fit."""
    cases = []
    for size in range(1, 60):
        cases.append((size, *draw_layer(rng, size)))

    def sizes(impl):
        return [impl.output_size(n, k, stride=s, padding=p, dilation=d) for n, k, s, p, d in cases]

    got = agree(sizes)

    for (n, k, s, p, d), count in zip(cases, got, strict=True):
        inside = [start for start in range(0, n + 2 * p, s) if start + d * (k - 1) < n + 2 * p]
        assert count == len(inside)


@number("1.2")
@weight(3)
@tags("arithmetic")
@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_receptive_field_of_a_stack(agree, rng, depth):
    """Size, jump and start of a stack of layers with any kernels, strides, paddings and dilations."""
    stacks = [[draw_layer(rng, 50) for _ in range(depth)] for _ in range(5)]

    agree(lambda impl: [impl.receptive_field(stack) for stack in stacks])


@number("1.3")
@weight(2)
@tags("arithmetic")
def test_receptive_field_is_where_the_gradient_reaches(agree, reference, rng):
    """The first and the last pixel where an output's gradient is not 0 are the receptive field's ends."""
    layers = [(*rng.integers([2, 1], [4, 3]).tolist(), 1, int(rng.integers(1, 3))) for _ in range(3)]
    # A row of pixels, and for each layer a kernel of positive numbers.
    row, rows = np.ones((1, 1, 1, 120)), []
    kernels = [rng.uniform(1, 2, size=(1, 1, 1, layer[0])) for layer in layers]
    settings = [{"stride": (1, s), "padding": (0, p), "dilation": (1, d)} for _, s, p, d in layers]
    for w, setting in zip(kernels, settings, strict=True):
        rows.append(row)
        row = reference.conv2d(row, w, **setting)
    index = row.shape[-1] // 2
    gradient = np.zeros_like(row)
    gradient[..., index] = 1.0
    for x, w, setting in reversed(list(zip(rows, kernels, settings, strict=True))):
        gradient, _, _ = reference.conv2d_backward(gradient, x, w, **setting)
    reached = np.flatnonzero(gradient)

    size, jump, start = agree("receptive_field", layers)

    assert start + index * jump == reached[0]
    assert start + index * jump + size - 1 == reached[-1]


# ---- 2 conv2d ----------------------------------------------------------------------------------------------


@number("2.1")
@weight(6)
@tags("conv2d")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_convolution_of_a_batch(agree, reference, rng, shape, filters, settings):
    """Every output is the sum of products over its window and all input channels, plus its filter's bias."""
    x, w, b = drawn(rng, shape, filters)

    agree("conv2d", x, w, b, **settings, size=reference.output_size)


@number("2.2")
@weight(3)
@tags("conv2d")
@pytest.mark.parametrize("stride", [1, 2])
def test_shifted_image_gives_shifted_output(agree, reference, rng, stride):
    """An image shifted by a whole number of strides gives the same output, shifted: equivariance."""
    x, w, b = drawn(rng, (2, 2, 11, 12), (3, 3, 3))
    settings = {"stride": stride, "size": reference.output_size}

    whole = agree("conv2d", x, w, b, **settings)
    shifted = agree("conv2d", x[:, :, 2 * stride :, stride:], w, b, **settings)

    assert_close(shifted, whole[:, :, 2:, 1:], name="output of the shifted image")


@number("2.3")
@weight(3)
@tags("conv2d")
def test_settings_are_shorthands(agree, reference, rng):
    """Padding is zeros around the image, dilation zeros in the kernel, stride gaps in the output."""
    x, w, b = drawn(rng, (2, 2, 7, 8), (3, 3, 2))
    spread = np.zeros((3, 2, 5, 4))
    spread[:, :, ::2, ::3] = w
    size = reference.output_size

    def conv(x, w, **settings):
        return agree("conv2d", x, w, b, **settings, size=size)

    framed = np.pad(x, ((0, 0), (0, 0), (2, 2), (1, 1)))
    assert_close(conv(x, w, padding=(2, 1)), conv(framed, w), name="output with padding")
    assert_close(conv(x, w, dilation=(2, 3)), conv(x, spread), name="output with dilation")
    assert_close(conv(x, w, stride=(3, 2)), conv(x, w)[:, :, ::3, ::2], name="output with stride")


@number("2.4")
@weight(3)
@tags("conv2d")
def test_channels_add_up_and_images_do_not_meet(agree, reference, rng):
    """The output is a sum of convolutions, one per input channel, and the bias once; images stay apart."""
    x, w, b = drawn(rng, (3, 4, 5, 6), (4, 2, 3))
    size = reference.output_size

    out = agree("conv2d", x, w, b, size=size)
    parts = [agree("conv2d", x[:, c : c + 1], w[:, c : c + 1], None, size=size) for c in range(4)]
    alone = agree("conv2d", x[1:2], w, b, size=size)

    assert_close(out, sum(parts) + b[:, None, None], name="output")
    assert_close(out[1:2], alone, name="output of the second image")


@number("2.5")
@weight(1)
@tags("conv2d")
def test_float32_stays_float32(agree, reference, rng):
    """float32 images give float32 outputs, with a bias and without."""
    x, w, b = drawn(rng, (2, 2, 5, 5), (3, 3, 3), np.float32)
    size = reference.output_size

    agree("conv2d", x, w, b, padding=1, size=size)
    agree("conv2d", x, w, None, stride=2, size=size)


@number("2.6")
@weight(1)
@tags("conv2d")
def test_shapes_that_do_not_fit_are_refused(agree, reference, rng):
    """Weights for other channels, a bias per input channel, or a kernel too wide raise ValueError."""
    x, w, b = drawn(rng, (1, 3, 5, 5), (2, 3, 3))
    size = reference.output_size

    def verdicts(impl):
        return [
            impl.conv2d(x, w, b, padding=1, size=size),
            refused(impl.conv2d, x, w[:, :2], b, size=size),
            refused(impl.conv2d, x, w, np.ones(3), size=size),
            refused(impl.conv2d, x, w, b, dilation=3, size=size),
            refused(impl.conv2d, x[0], w, b, size=size),
        ]

    agree(verdicts)


# ---- 3 matrix ----------------------------------------------------------------------------------------------


@number("3.1")
@weight(4)
@tags("matrix")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_every_entry_of_the_matrix(agree, reference, rng, shape, filters, settings):
    """Each entry is the weight with which a number of the image enters an output, or 0."""
    _, w, _ = drawn(rng, shape, filters)

    agree("conv_matrix", w, shape[1:], **settings, size=reference.output_size)


@number("3.2")
@weight(2)
@tags("matrix")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_matrix_times_image_is_the_convolution(agree, reference, rng, shape, filters, settings):
    """The matrix times the ravelled image is the ravelled output of the convolution."""
    x, w, _ = drawn(rng, shape, filters)

    matrix = agree("conv_matrix", w, shape[1:], **settings, size=reference.output_size)

    out = reference.conv2d(x[:1], w, **settings)
    assert_close(matrix @ x[0].ravel(), out.ravel(), name="matrix times image")


@number("3.3")
@weight(2)
@tags("matrix")
def test_transposed_matrix_is_the_way_back(agree, reference, rng):
    """The transposed matrix takes the gradient in the output to the gradient in the image."""
    x, w, _ = drawn(rng, (1, 2, 6, 7), (3, 3, 2))
    settings = {"stride": (2, 1), "padding": 1, "dilation": (1, 2)}
    dout = rng.standard_normal(reference.conv2d(x, w, **settings).shape)

    matrix = agree("conv_matrix", w, x.shape[1:], **settings, size=reference.output_size)

    dx, _, _ = reference.conv2d_backward(dout, x, w, **settings)
    assert_close(matrix.T @ dout.ravel(), dx.ravel(), name="transposed matrix times gradient")


# ---- 4 im2col ----------------------------------------------------------------------------------------------


@number("4.1")
@weight(4)
@tags("im2col")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_columns_are_windows(agree, reference, rng, shape, filters, settings):
    """Column i W_out + j holds window (i, j): channel by channel, each by row, then by column."""
    x, _, _ = drawn(rng, shape, filters)

    agree("im2col", x, filters[1:], **settings, size=reference.output_size)


@number("4.2")
@weight(4)
@tags("im2col")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_product_is_the_convolution(agree, reference, rng, shape, filters, settings):
    """Filters as rows times windows as columns, put back in the shape of images, is the convolution."""
    x, w, b = drawn(rng, shape, filters)

    out = agree("conv2d_im2col", x, w, b, **settings, size=reference.output_size)

    assert_close(out, reference.conv2d(x, w, b, **settings), name="output")


@number("4.3")
@weight(3)
@tags("im2col")
@pytest.mark.parametrize("n", [1, 4])
def test_one_product_whatever_the_number_of_windows(agree, reference, rng, n):
    """A loop makes a product for each image, filter and place; here one call makes exactly as many."""
    x, w, b = drawn(rng, (n, 3, 9, 8), (5, 3, 2), np.float32 if n == 1 else np.float64)
    calls = []

    def matmul(left, right):
        product = np.matmul(left, right)
        calls.append(product.size * left.shape[-1])
        return product

    def counted(impl):
        calls.clear()
        out = impl.conv2d_im2col(x, w, b, stride=2, size=reference.output_size, matmul=matmul)
        return out, len(calls), sum(calls)

    out, n_calls, multiplications = agree(counted)

    assert n_calls == 1
    assert multiplications == out.size * w[0].size  # no product is made in vain


# ---- 5 backward --------------------------------------------------------------------------------------------


def out_of(reference, x, w, settings):
    """The shape of the output."""
    return reference.conv2d(x, w, **settings).shape


def part(index, dout, x, w, settings):
    """A scenario: one of the three gradients alone."""
    return lambda impl: impl.conv2d_backward(dout, x, w, **settings)[index]


@number("5.1")
@weight(5)
@tags("backward")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_gradient_of_the_images(agree, reference, rng, shape, filters, settings):
    """A pixel's gradient is the sum, over all windows and filters that met it, of weight times gradient."""
    x, w, _ = drawn(rng, shape, filters)
    dout = rng.standard_normal(out_of(reference, x, w, settings))

    agree(part(0, dout, x, w, settings))


@number("5.2")
@weight(4)
@tags("backward")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_gradient_of_the_weights(agree, reference, rng, shape, filters, settings):
    """A weight's gradient sums, over images and places, the pixel that it met times the gradient there."""
    x, w, _ = drawn(rng, shape, filters)
    dout = rng.standard_normal(out_of(reference, x, w, settings))

    agree(part(1, dout, x, w, settings))


@number("5.3")
@weight(2)
@tags("backward")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_gradient_of_the_biases(agree, reference, rng, shape, filters, settings):
    """A bias enters every output of its channel, so its gradient is the sum of theirs; all three gradients have
    the shapes of what they belong to."""
    x, w, _ = drawn(rng, shape, filters)
    dout = rng.standard_normal(out_of(reference, x, w, settings))

    def biases(impl):
        dx, dw, db = impl.conv2d_backward(dout, x, w, **settings)
        return db, tuple(dx.shape), tuple(dw.shape)

    agree(biases)


@number("5.4")
@weight(3)
@tags("backward")
def test_gradients_balance(agree, reference, rng):
    """Without a bias the output is linear in x and in w: <dout, out> = <dx, x> = <dw, w>; and dw and db add up
    over images."""
    settings = {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2)}
    x, w, _ = drawn(rng, (3, 2, 7, 6), (4, 3, 2))
    out = reference.conv2d(x, w, **settings)
    dout = rng.standard_normal(out.shape)

    dx, dw, db = agree("conv2d_backward", dout, x, w, **settings)
    alone = [agree("conv2d_backward", dout[i : i + 1], x[i : i + 1], w, **settings) for i in range(3)]

    assert_close(np.sum(dx * x), np.sum(dout * out), name="<dx, x>")
    assert_close(np.sum(dw * w), np.sum(dout * out), name="<dw, w>")
    assert_close(dw, sum(gradients[1] for gradients in alone), name="dw")
    assert_close(db, sum(gradients[2] for gradients in alone), name="db")


@number("5.5")
@weight(1)
@tags("backward")
def test_pixels_in_no_window(agree, rng):
    """Pixels between the windows, and those left over at the end, get 0; float32 stays float32."""
    x, w, _ = drawn(rng, (2, 2, 9, 8), (3, 2, 2), np.float32)
    dout = rng.standard_normal((2, 3, 3, 3)).astype(np.float32)

    dx, _, _ = agree("conv2d_backward", dout, x, w, stride=3)

    assert_close(dx[:, :, 2::3], np.zeros_like(dx[:, :, 2::3]), name="dx between the windows")


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
@weight(3)
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
def test_gradient_of_maxima(agree, reference, rng, shape, kernel, settings):
    """A window's gradient goes to its maximum; a pixel that is the maximum of several gets the sum."""
    x = rng.standard_normal(shape) - 3
    dout = rng.standard_normal(pool_out(reference, x, kernel, settings))

    dx = agree("max_pool2d_backward", dout, x, kernel, **settings)

    assert_close(dx.sum(), dout.sum(), name="sum of dx")


@number("6.3")
@weight(1)
@tags("pooling")
@pytest.mark.parametrize("shape, kernel, settings", POOLS)
def test_first_of_equal_maxima(agree, reference, rng, shape, kernel, settings):
    """Among equal maxima the first by row, then by column, takes the whole gradient."""
    x = rng.integers(-2, 0, size=shape).astype(float)
    dout = rng.uniform(1, 2, size=pool_out(reference, x, kernel, settings))

    agree("max_pool2d_backward", dout, x, kernel, **settings)


@number("6.4")
@weight(2)
@tags("pooling")
@pytest.mark.parametrize("shape, kernel, settings", POOLS)
def test_means(agree, reference, rng, shape, kernel, settings):
    """Each output is a window's sum over K_h K_w, padding as zeros: a convolution with equal weights."""
    x = rng.standard_normal(shape) + 1

    out = agree("avg_pool2d", x, kernel, **settings, size=reference.output_size)

    taps = reference.pair(kernel)
    w = np.full((1, 1, *taps), 1 / math.prod(taps))
    channels = x.reshape(-1, 1, *shape[2:])
    same = reference.conv2d(channels, w, **({"stride": taps} | settings))
    assert_close(out, same.reshape(out.shape), name="output")


@number("6.5")
@weight(2)
@tags("pooling")
@pytest.mark.parametrize("shape, kernel, settings", POOLS)
def test_gradient_of_means(agree, reference, rng, shape, kernel, settings):
    """Every place of a window gets the same share of its gradient, 1 / (K_h K_w)."""
    x = rng.standard_normal(shape)
    dout = rng.standard_normal(pool_out(reference, x, kernel, settings))

    agree("avg_pool2d_backward", dout, x, kernel, **settings)


@number("6.6")
@weight(1)
@tags("pooling")
def test_pools_keep_float32(agree, reference, rng):
    """float32 in, float32 out, in all four; a padding beyond half the kernel is refused."""
    x = rng.standard_normal((2, 2, 6, 6)).astype(np.float32)
    dout = rng.standard_normal((2, 2, 4, 4)).astype(np.float32)
    settings = {"stride": 2, "padding": 1}

    def pools(impl):
        return [
            impl.max_pool2d(x, 2, **settings, size=reference.output_size),
            impl.avg_pool2d(x, 2, **settings, size=reference.output_size),
            impl.max_pool2d_backward(dout, x, 2, **settings),
            impl.avg_pool2d_backward(dout, x, 2, **settings),
            refused(impl.max_pool2d, x, 2, padding=2, size=reference.output_size),
        ]

    agree(pools)


# ---- 7 skips -----------------------------------------------------------------------------------------------


@number("7.1")
@weight(1)
@tags("skips")
def test_residual_block_adds(agree, rng):
    """The output is the input, or what the shortcut makes of it, plus the branch's; each is called once."""
    x = rng.standard_normal((2, 3, 6, 6))
    mix = rng.standard_normal((5, 3))
    calls = []

    def branch(z):
        calls.append("branch")
        return np.sin(2 * z) - 1

    def wide(z):
        calls.append("wide branch")
        return np.einsum("oc,nchw->nohw", mix, np.abs(z[:, :, ::2, ::2]))

    def shortcut(z):
        calls.append("shortcut")
        return np.einsum("oc,nchw->nohw", mix[::-1], z[:, :, ::2, ::2])

    def blocks(impl):
        calls.clear()
        outputs = impl.residual_block(x, branch), impl.residual_block(x, wide, shortcut=shortcut)
        return outputs, sorted(calls)

    agree(blocks)


@number("7.2")
@weight(2)
@tags("skips")
def test_gradient_has_two_ways_back(agree, rng):
    """The gradient comes back through the branch and past it: it survives many blocks with faint branches."""
    dout = rng.standard_normal((2, 3, 4, 4))
    slopes = rng.uniform(-0.2, 0.2, size=16)
    mix = rng.standard_normal((3, 5))

    def deep(impl):
        gradient = dout
        for slope in slopes:
            gradient = impl.residual_backward(gradient, lambda g, slope=slope: slope * g)
        return gradient

    def widened(impl):
        def through(weights):
            return lambda g: np.einsum("co,nchw->nohw", weights, g)

        return impl.residual_backward(dout, through(mix), shortcut_vjp=through(mix[::-1]))

    gradient = agree(deep)
    agree(widened)

    assert_close(gradient, np.prod(1 + slopes) * dout, name="gradient through sixteen blocks")


@number("7.3")
@weight(1)
@tags("skips")
@pytest.mark.parametrize("larger", [(0, 0), (2, 4), (1, 3)], ids=str)
def test_join_puts_channels_side_by_side(agree, rng, larger):
    """The skip's channels come first, cut to the centre, then the decoder's; what does not fit is refused."""
    up = rng.standard_normal((2, 3, 4, 5))
    skip = rng.standard_normal((2, 3, 4 + larger[0], 5 + larger[1]))

    def joined(impl):
        return impl.unet_join(skip, up), refused(impl.unet_join, skip[:, :, :3], up)

    agree(joined)


@number("7.4")
@weight(2)
@tags("skips")
@pytest.mark.parametrize("levels", [1, 3])
def test_unet_joins_level_with_level(agree, reference, rng, levels):
    """On the way up each level gets what its own encoder made, before it was made smaller."""
    x = rng.standard_normal((2, 2, 13, 11))
    mixes = [rng.standard_normal((3, channels)) for channels in (2, 3, 3)[:levels]]
    calls = []

    def layer(name, weights):
        def block(z):
            calls.append(name)
            return np.tanh(np.einsum("oc,nchw->nohw", weights, z))

        return block

    encoders = [layer(f"encoder {level}", mix) for level, mix in enumerate(mixes)]
    bottom = layer("bottom", rng.standard_normal((4, 3)))
    widths = [3 + 4, 3 + 3, 3 + 3]
    decoders = [layer(f"decoder {k}", rng.standard_normal((3, widths[k]))) for k in range(levels)]

    def down(z):
        calls.append("down")
        return z[:, :, :-1:2, :-1:2] - z[:, :, 1::2, 1::2]

    def up(z):
        calls.append("up")
        return z.repeat(2, axis=2).repeat(2, axis=3)

    def run(impl):
        calls.clear()
        out = impl.unet(x, encoders, bottom, decoders, down=down, up=up, join=reference.unet_join)
        return out, list(calls)

    agree(run)


# ---- 8 device ----------------------------------------------------------------------------------------------


def tensors(rng, shape, filters, dtype, device):
    """Images, weights and biases as tensors."""
    return [torch.from_numpy(array).to(dtype).to(device) for array in drawn(rng, shape, filters)]


@number("8.1")
@weight(2)
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
def test_bfloat16_adds_up_in_more(agree, reference, rng, device):
    """Hundreds of bfloat16 products are added up without being rounded on the way."""
    # About 400 products of 1: a sum kept in bfloat16 stops growing at 256, where its steps are 2.
    x = torch.from_numpy(rng.uniform(0.75, 1.25, size=(2, 1, 24, 24))).to(torch.bfloat16).to(device)
    w = torch.from_numpy(rng.uniform(0.75, 1.25, size=(3, 1, 20, 20))).to(torch.bfloat16).to(device)

    agree("conv2d_torch", x, w, None, size=reference.output_size)


@number("8.3")
@weight(1)
@tags("device")
@pytest.mark.parametrize("shape, filters, settings", GEOMETRIES)
def test_autograd_gives_the_backward_pass(agree, reference, rng, device, shape, filters, settings):
    """torch's autograd finds its way through, to the gradients that the backward pass by hand gives."""
    x, w, b = tensors(rng, shape, filters, torch.float64, device)
    arrays = x.cpu().numpy(), w.cpu().numpy()
    dout = rng.standard_normal(out_of(reference, *arrays, settings))
    cotangent = torch.from_numpy(dout).to(device)

    gradients = agree.vjp(
        "conv2d_torch", x, w, b, wrt=(0, 1, 2), cotangent=cotangent, **settings, size=reference.output_size
    )

    by_hand = reference.conv2d_backward(dout, *arrays, **settings)
    for name, got, want in zip(("dx", "dw", "db"), gradients, by_hand, strict=True):
        assert_close(got.cpu(), torch.from_numpy(np.ascontiguousarray(want)), name=name)


@number("8.4")
@weight(1)
@tags("device")
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_a_layer_of_a_network(agree, reference, rng, device, dtype):
    """A layer as networks have them, 32 channels in and 64 out, in the precisions they are trained in."""
    x, w, b = tensors(rng, (4, 32, 14, 14), (64, 3, 3), torch.float64, device)
    # scaled so that outputs are of order one
    x, w, b = (z.to(dtype) for z in (x, w / math.sqrt(32 * 9), b))

    agree("conv2d_torch", x, w, b, padding=1, size=reference.output_size)
