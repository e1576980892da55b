"""The reference of the conv assignment held against torch's convolutions and pools, their autograd, and SciPy."""

import numpy as np
import pytest
import staff_files
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
F = torch.nn.functional

conv = staff_files.reference("conv")

TIGHT = {"rtol": 1e-10, "atol": 1e-11}
drawn = settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))


@st.composite
def geometries(draw):
    """Images, weights, biases and settings that fit one another."""

    def pair(low, high):
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    image, kernel = pair(1, 9), pair(1, 4)
    setting = {"stride": pair(1, 4), "padding": pair(0, 3), "dilation": pair(1, 3)}
    spans = [d * (k - 1) + 1 for d, k in zip(setting["dilation"], kernel, strict=True)]
    assume(all(span <= n + 2 * p for span, n, p in zip(spans, image, setting["padding"], strict=True)))
    n, c_in, c_out = (draw(st.integers(1, 3)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x, w = rng.standard_normal((n, c_in, *image)), rng.standard_normal((c_out, c_in, *kernel))
    return x, w, rng.standard_normal(c_out), setting


@st.composite
def pools(draw):
    """Images (with ties, or without), a kernel and settings that fit them."""
    kernel = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    image = tuple(draw(st.integers(max(1, k - 2 * p), 9)) for k, p in zip(kernel, padding, strict=True))
    stride = draw(st.none() | st.tuples(st.integers(1, 4), st.integers(1, 4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = rng.standard_normal((2, 2, *image))
    if draw(st.booleans()):
        x = np.round(x)
    return x, kernel, {"stride": stride, "padding": padding}


def leaf(array):
    """A tensor of an array, to be differentiated in."""
    return torch.tensor(array, dtype=torch.float64, requires_grad=True)


@drawn
@given(geometries())
def test_convolutions_are_torchs(geometry):
    """The loop, the product and the torch version give what torch's conv2d gives."""
    x, w, b, setting = geometry
    want = F.conv2d(*map(torch.tensor, (x, w, b)), **setting).numpy()

    np.testing.assert_allclose(conv.conv2d(x, w, b, **setting), want, **TIGHT)
    np.testing.assert_allclose(conv.conv2d_im2col(x, w, b, **setting), want, **TIGHT)
    np.testing.assert_allclose(conv.conv2d_torch(*map(torch.tensor, (x, w, b)), **setting), want, **TIGHT)


@drawn
@given(geometries())
def test_columns_are_torchs_unfold(geometry):
    """im2col is torch's unfold."""
    x, w, _, setting = geometry

    want = F.unfold(torch.tensor(x), w.shape[2:], **setting).numpy()

    np.testing.assert_array_equal(conv.im2col(x, w.shape[2:], **setting), want)


@drawn
@given(geometries())
def test_matrix_is_the_jacobian(geometry):
    """The matrix is the Jacobian of torch's conv2d in the image."""
    x, w, _, setting = geometry

    jacobian = torch.autograd.functional.jacobian(
        lambda image: F.conv2d(image[None], torch.tensor(w), **setting).flatten(), torch.tensor(x[0])
    )

    matrix = conv.conv_matrix(w, x.shape[1:], **setting)
    np.testing.assert_allclose(matrix, jacobian.reshape(matrix.shape).numpy(), **TIGHT)


@drawn
@given(geometries(), st.integers(0, 2**32))
def test_backward_is_torchs_autograd(geometry, seed):
    """dx, dw and db are those of autograd through torch's conv2d, and through the torch version here."""
    x, w, b, setting = geometry
    leaves = [leaf(array) for array in (x, w, b)]
    out = F.conv2d(*leaves, **setting)
    dout = np.random.default_rng(seed).standard_normal(out.shape)
    out.backward(torch.tensor(dout))
    own = [leaf(array) for array in (x, w, b)]
    conv.conv2d_torch(*own, **setting).backward(torch.tensor(dout))

    gradients = conv.conv2d_backward(dout, x, w, **setting)

    for got, mine, want in zip(gradients, own, leaves, strict=True):
        np.testing.assert_allclose(got, want.grad.numpy(), **TIGHT)
        np.testing.assert_allclose(mine.grad.numpy(), want.grad.numpy(), **TIGHT)


@drawn
@given(pools(), st.integers(0, 2**32))
def test_pools_are_torchs(pool, seed):
    """Both pools and their gradients are torch's, ties and padding included."""
    x, kernel, setting = pool
    for name in ("max_pool2d", "avg_pool2d"):
        images = leaf(x)
        out = getattr(F, name)(images, kernel, **setting)
        dout = np.random.default_rng(seed).standard_normal(out.shape)
        out.backward(torch.tensor(dout))

        np.testing.assert_allclose(getattr(conv, name)(x, kernel, **setting), out.detach().numpy(), **TIGHT)
        dx = getattr(conv, f"{name}_backward")(dout, x, kernel, **setting)
        np.testing.assert_allclose(dx, images.grad.numpy(), **TIGHT)


@pytest.mark.parametrize("seed", range(5))
def test_one_channel_is_scipys_correlate2d(seed):
    """With one channel and stride 1 it is SciPy's correlation, and not its convolution."""
    signal = pytest.importorskip("scipy.signal")
    rng = np.random.default_rng(seed)
    x, w = rng.standard_normal((8, 7)), rng.standard_normal((3, 4))

    out = conv.conv2d(x[None, None], w[None, None])[0, 0]

    np.testing.assert_allclose(out, signal.correlate2d(x, w, mode="valid"), **TIGHT)
    assert not np.allclose(out, signal.convolve2d(x, w, mode="valid"))


@pytest.mark.parametrize("seed", range(30))
def test_receptive_field_is_the_support_of_a_gradient(seed):
    """Size, jump and start are where autograd through torch's conv1d finds a gradient."""
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(1, 5))
    layers = [
        tuple(int(rng.integers(low, high)) for low, high in ((1, 5), (1, 4), (0, 3), (1, 4))) for _ in range(depth)
    ]
    size, jump, start = conv.receptive_field(layers)
    pixels = torch.ones(1, 1, 3 * size + 20 * jump, requires_grad=True, dtype=torch.float64)
    out = pixels
    for kernel, stride, padding, dilation in layers:
        w = torch.from_numpy(rng.uniform(1, 2, size=(1, 1, kernel)))
        out = F.conv1d(out, w, stride=stride, padding=padding, dilation=dilation)

    for index in (out.shape[-1] // 2, out.shape[-1] // 2 + 1):
        (gradient,) = torch.autograd.grad(out[0, 0, index], pixels, retain_graph=True)
        reached = gradient[0, 0].nonzero()[:, 0]
        assert reached.min() == start + index * jump
        assert reached.max() == start + index * jump + size - 1


@drawn
@given(geometries())
def test_backward_refuses_another_number_of_windows(geometry):
    """Gradients with a row or a column too many or too few are refused, by convolution and by pools."""
    x, w, b, setting = geometry
    dout = conv.conv2d(x, w, b, **setting)
    wrong = [np.pad(dout, ((0, 0), (0, 0), (1, 0), (0, 0))), dout[:, :, :, 1:]]

    conv.conv2d_backward(dout, x, w, **setting)
    for other in wrong:
        with pytest.raises(ValueError, match="dout"):
            conv.conv2d_backward(other, x, w, **setting)
    pooled = np.pad(conv.avg_pool2d(x, 1), ((0, 0), (0, 0), (0, 1), (0, 0)))
    for backward in (conv.max_pool2d_backward, conv.avg_pool2d_backward):
        with pytest.raises(ValueError, match="dout"):
            backward(pooled, x, 1)


def test_bfloat16_is_as_good_as_torchs():
    """In bfloat16 the torch version is within one rounding of the float64 result."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 16, 12, 12, generator=generator).bfloat16()
    w = torch.randn(8, 16, 5, 5, generator=generator).bfloat16()

    out = conv.conv2d_torch(x, w, padding=2).double()

    exact = F.conv2d(x.double(), w.double(), padding=2)
    assert out.shape == exact.shape
    # half a unit in the last place of 8 bits, and float32's sum of 400 products of order one
    assert bool(((out - exact).abs() <= 2**-8 * exact.abs() + 1e-4).all())
