"""Numeric and automatic gradients agree, and wrong ones are caught with the place where they are wrong."""

import numpy as np
import pytest
import torch
from coursekit.compare import Mismatch
from coursekit.gradcheck import check_vjp, numeric_vjp, random_cotangent, torch_vjp
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def normal(rng, *shape, dtype=torch.float64):
    return torch.from_numpy(np.asarray(rng.normal(size=shape))).to(dtype)


def attention(q, k, v):
    return torch.softmax(q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5, -1) @ v


# Cotangents


def test_a_cotangent_fits_its_output(rng):
    """A cotangent has the structure, shapes, libraries and floating dtypes of the output."""
    floats = [np.zeros(2, np.float32), 1.0, np.float64(2)]
    like = {"a": torch.zeros(2, 3), "b": floats, "c": torch.zeros((), dtype=int)}

    w = random_cotangent(rng, like)

    assert (w["a"].shape, w["a"].dtype) == ((2, 3), torch.float32)
    assert (w["b"][0].shape, w["b"][0].dtype) == ((2,), np.float32)
    assert type(w["b"][1]) is float and type(w["b"][2]) is np.float64
    assert w["c"].dtype == torch.float64
    assert random_cotangent(rng, "text") is None


def test_cotangents_come_from_the_generator_alone():
    """The same generator state gives the same cotangent, for either library."""
    a = random_cotangent(np.random.default_rng(3), np.zeros((2, 2)))
    b = random_cotangent(np.random.default_rng(3), torch.zeros(2, 2).double())

    assert np.array_equal(a, b.numpy())


# By hand


def test_numeric_vjp_of_a_square():
    """The derivative of x² at 3 is 6, and of the sum of squares at x it is 2x."""
    assert numeric_vjp(lambda x: x**2, 3.0, wrt=0)[0] == pytest.approx(6.0, rel=1e-8)
    (gradient,) = numeric_vjp(lambda x: (x**2).sum(), np.arange(4.0))
    assert gradient == pytest.approx(2 * np.arange(4.0), rel=1e-8)


def test_numeric_vjp_weights_every_coordinate():
    """The VJP of a matrix product is the cotangent times the other factor, transposed."""
    rng = np.random.default_rng(1)
    a, b, w = rng.normal(size=(2, 3)), rng.normal(size=(3, 4)), rng.normal(size=(2, 4))

    da, db = numeric_vjp(lambda a, b: a @ b, a, b, cotangent=w)

    assert da == pytest.approx(w @ b.T, rel=1e-7, abs=1e-8)
    assert db == pytest.approx(a.T @ w, rel=1e-7, abs=1e-8)


def test_a_sum_hides_what_a_random_cotangent_shows():
    """With a cotangent of ones the gradient of a softmax is zero; with a random one it is not."""
    x = np.array([0.3, -1.0, 2.0])

    def softmax(x):
        e = np.exp(x - x.max())
        return e / e.sum()

    assert numeric_vjp(softmax, x, cotangent=np.ones(3))[0] == pytest.approx(np.zeros(3), abs=1e-8)
    assert np.abs(numeric_vjp(softmax, x, cotangent=np.array([1.0, -2.0, 0.5]))[0]).max() > 0.05


@given(st.integers(0, 1000), st.sampled_from(["matmul", "attention", "norm", "tuple", "dict", "scalar"]))
@settings(max_examples=40)
def test_numeric_and_automatic_gradients_agree(seed, which):
    """On smooth functions the two VJPs agree on every coordinate, for outputs of every structure."""
    rng = np.random.default_rng(seed)
    f, args = {
        "matmul": (lambda a, b: torch.tanh(a @ b), (normal(rng, 2, 3), normal(rng, 3, 2))),
        "attention": (attention, (normal(rng, 2, 3, 4), normal(rng, 2, 5, 4), normal(rng, 2, 5, 3))),
        "norm": (lambda x: x / x.norm(dim=-1, keepdim=True), (normal(rng, 3, 4),)),
        "tuple": (lambda x: (x.exp(), [x.sum()]), (normal(rng, 3),)),
        "dict": (lambda x: {"a": x * x, "b": x.sin()}, (normal(rng, 3),)),
        "scalar": (lambda x: (x**3).mean(), (normal(rng, 3),)),
    }[which]

    check_vjp(f, args, rng=rng)


def test_numeric_vjp_uses_float64_and_leaves_arguments_alone():
    """A float32 argument is differentiated in float64, even by a function that writes into it."""

    def overwrite(x):
        x *= 2
        return x

    x = torch.ones(3)
    (gradient,) = numeric_vjp(overwrite, x, cotangent=torch.ones(3))

    assert gradient.dtype == torch.float64
    assert gradient.numpy() == pytest.approx(2 * np.ones(3), rel=1e-8)
    assert torch.equal(x, torch.ones(3))


# torch_vjp


def test_torch_vjp_by_default_differentiates_in_all_floating_tensors(rng):
    """Integers and other arguments are passed along; every floating tensor gets a gradient."""
    table, tokens, scale = normal(rng, 5, 2), torch.tensor([0, 3, 3]), normal(rng, 2)

    def f(table, tokens, scale, *, k):
        return table[tokens] * scale * k

    gradients = torch_vjp(f, table, tokens, scale, cotangent=torch.ones(3, 2), k=2)

    assert [g.shape for g in gradients] == [(5, 2), (2,)]
    assert torch.allclose(gradients[0][3], 4 * scale)


def test_torch_vjp_keeps_dtype_and_leaves_arguments_alone(rng):
    """Gradients come in the argument's dtype; arguments that required gradients keep theirs."""
    x = normal(rng, 3, dtype=torch.float32).requires_grad_()

    (gradient,) = torch_vjp(lambda x: x * 2, x, cotangent=torch.ones(3).double())

    assert gradient.dtype == torch.float32 and not gradient.requires_grad
    assert x.grad is None


def test_an_unused_argument_has_a_zero_gradient(rng):
    """Where the output depends on one argument and not on another, the other's gradient is zeros."""
    a, b = torch_vjp(lambda a, b: a * 2, normal(rng, 2), normal(rng, 3), cotangent=torch.ones(2))

    assert torch.equal(b, torch.zeros(3).double())
    assert torch.equal(a, torch.full((2,), 2.0).double())


@pytest.mark.parametrize(
    "f", [lambda x: x.detach() * 2, lambda x: torch.ones(3), lambda x: (x * 2).tolist()[0], lambda x: x.data]
)
def test_a_detached_output_is_an_error_that_says_so(rng, f):
    """An output that no longer hangs on its argument is named as such, not taken for a zero gradient."""
    with pytest.raises(ValueError, match="not depend on argument 0 through autograd .was it detached"):
        torch_vjp(f, normal(rng, 3), cotangent=random_cotangent(np.random.default_rng(0), f(torch.ones(3))))


def test_torch_vjp_goes_into_dictionaries_and_lists(rng):
    """An argument may be a dictionary of weights; its gradient is one of gradients."""
    weights = {"W": normal(rng, 2, 2), "b": [normal(rng, 2)], "n": 3}

    def f(w):
        return w["W"].sum(0) + w["b"][0] * w["n"]

    (gradient,) = torch_vjp(f, weights, wrt=0, cotangent=torch.ones(2))

    assert torch.equal(gradient["W"], torch.ones(2, 2).double())
    assert torch.equal(gradient["b"][0], torch.full((2,), 3.0).double())
    assert gradient["n"] == 3


def test_torch_vjp_works_where_gradients_are_switched_off(rng):
    """The caller's no_grad does not reach the function."""
    with torch.no_grad():
        (gradient,) = torch_vjp(lambda x: (x * x).sum(), normal(rng, 3))

    assert gradient.abs().min() > 0


@pytest.mark.parametrize(
    ("f", "cotangent", "text"),
    [
        (lambda x: x, torch.ones(2), r"cotangent has shape \(2,\), and output has shape \(3,\)"),
        (lambda x: x, None, "cotangent must be given"),
        (lambda x: (x, x), torch.ones(3), "cotangent must fit output, which is a tuple of 2 items"),
        (lambda x: "text", None, "output must be a number, an array or a tensor, got a str"),
    ],
)
def test_a_cotangent_that_does_not_fit_is_refused(rng, f, cotangent, text):
    """Shape and structure of the cotangent are checked against the output, by both VJPs."""
    x = normal(rng, 3)
    with pytest.raises(ValueError, match=text):
        torch_vjp(f, x, cotangent=cotangent)
    with pytest.raises(ValueError, match=text):
        numeric_vjp(f, x, cotangent=cotangent)


def test_positions_are_checked(rng):
    """wrt has to name arguments, and for autograd floating tensors."""
    with pytest.raises(ValueError, match=r"wrt must lie in 0\.\.0.*got 1"):
        torch_vjp(lambda x: x, normal(rng, 3), wrt=1)
    with pytest.raises(ValueError, match="wrt must name floating-point tensors"):
        torch_vjp(lambda x: x, torch.ones(3, dtype=int), wrt=0)


# check_vjp


def test_one_wrong_coordinate_is_found():
    """A gradient with a single wrong coordinate is rejected, and the message names argument and place."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3)), rng.normal(size=(3, 4))

    def gradients(w):
        da, db = w @ b.T, a.T @ w
        db[1, 2] += 1e-3
        return da, db

    with pytest.raises(Mismatch, match="the gradient in B .*1 of 12 entries") as caught:
        check_vjp(lambda a, b: a @ b, (a, b), gradients, rng=rng, names=["A", "B"])
    assert "at [1, 2]" in caught.value.difference.detail


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda g: 0 * g, "is zero everywhere"),
        (lambda g: -g, "has the opposite sign"),
        (lambda g: g / 2, "is 1/2 of the right answer"),
        (lambda g: g.sum(0, keepdims=True) + 0 * g, "gradient in argument 0"),
        (lambda g: g.T, "has shape"),
        (lambda g: None, "is None"),
        (lambda g: g.tolist(), "is a list of 2 items instead of a NumPy array of shape"),
    ],
)
def test_wrong_gradients_are_diagnosed(wrong, text):
    """A wrong gradient gets the same structural diagnosis as any other answer."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 3))

    with pytest.raises(Mismatch, match=text):
        check_vjp(np.tanh, (x,), lambda w: (wrong(w * (1 - np.tanh(x) ** 2)),), rng=rng)


def test_right_gradients_pass_at_any_scale():
    """The tolerance follows the rounding error of the differences, so large and small outputs pass alike."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 3))
    for scale in (1e-6, 1.0, 1e6):
        check_vjp(lambda x, s=scale: s * np.sin(x), (x,), lambda w, s=scale: s * np.cos(x) * w, rng=rng)


def test_the_number_of_gradients_is_checked():
    """As many gradients are due as arguments."""
    with pytest.raises(ValueError, match="gradients must be 2, one for each argument, got 1"):
        check_vjp(lambda a, b: a * b, (np.ones(2), np.ones(2)), lambda w: (w,))


def test_a_custom_autograd_function_is_checked_against_differences(rng):
    """Without gradients given, the function's own backward pass is what is checked."""

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x**2

        @staticmethod
        def backward(ctx, w):
            return w

    check_vjp(lambda x: x**2, (normal(rng, 3),))
    with pytest.raises(Mismatch):
        check_vjp(Wrong.apply, (normal(rng, 3),))
