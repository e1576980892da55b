"""The given transformer does what its docstring says, checked against torch's own functions."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from coursekit.gradcheck import check_vjp
from coursekit.toys import ModelConfig, forward, layer_norm, mlp, mlp_weights, random_weights, rotate, weight_shapes

CONFIG = ModelConfig()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def weights(rng):
    return random_weights(CONFIG, rng)


def tokens_of(rng, *shape, config=CONFIG):
    return torch.from_numpy(rng.integers(0, config.vocab_size, size=shape))


def test_weights_have_the_documented_names_and_shapes(weights):
    """The dictionary holds exactly the documented names: float64, without gradient, none of them trivial."""
    shapes = weight_shapes(CONFIG)

    assert {name: tuple(w.shape) for name, w in weights.items()} == shapes
    assert len(shapes) == 3 + 12 * CONFIG.n_layers
    assert all(w.dtype == torch.float64 and not w.requires_grad for w in weights.values())
    assert all((w != 0).all() and (w != 1).all() for w in weights.values())
    assert "blocks.2.W_O" in shapes and shapes["blocks.0.W_K"] == (16, 8)


def test_weights_come_from_the_generator_alone():
    """The same generator state gives the same weights."""
    one, other = (random_weights(CONFIG, np.random.default_rng(5)) for _ in range(2))

    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("shape", [(7,), (2, 7), (2, 3, 4), (1,), (2, 0)])
def test_logits_have_a_row_for_every_position(rng, weights, shape):
    """Any leading axes, one token and none at all give logits of shape (..., T, V)."""
    assert forward(CONFIG, weights, tokens_of(rng, *shape)).shape == (*shape, CONFIG.vocab_size)


def independent_forward(config, w, tokens):
    """The same model for one sequence, from torch's own functions and complex rotations."""
    x = F.embedding(tokens, w["embedding"])
    length = len(tokens)
    exponent = torch.arange(0, config.d_k, 2).double() / config.d_k
    angle = torch.arange(length).double()[:, None] / 10000**exponent
    turn = torch.polar(torch.ones_like(angle), angle)

    def turned(y):
        pairs = torch.view_as_complex(y.unflatten(-1, (-1, 2)).contiguous())
        return torch.view_as_real(pairs * turn).flatten(-2)

    def norm(x, prefix):
        return F.layer_norm(x, (config.d_model,), w[f"{prefix}.gain"], w[f"{prefix}.bias"], eps=1e-5)

    for layer in range(config.n_layers):
        b = f"blocks.{layer}"
        h = norm(x, f"{b}.norm_1")
        projected = [h @ w[f"{b}.{name}"] for name in ("W_Q", "W_K", "W_V")]
        q, k, v = (y.view(length, -1, config.d_k).transpose(0, 1) for y in projected)
        out = F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True, enable_gqa=True)
        x = x + out.transpose(0, 1).reshape(length, -1) @ w[f"{b}.W_O"]
        h = norm(x, f"{b}.norm_2")
        x = x + F.gelu(h @ w[f"{b}.W_1"] + w[f"{b}.b_1"]) @ w[f"{b}.W_2"] + w[f"{b}.b_2"]
    return F.linear(norm(x, "norm"), w["embedding"])


@pytest.mark.parametrize(
    "config",
    [CONFIG, ModelConfig(n_kv_heads=4), ModelConfig(n_heads=3, n_kv_heads=1, d_k=6), ModelConfig(d_k=2)],
    ids=["grouped", "every_head", "one_kv_head", "narrow"],
)
def test_the_model_equals_one_built_from_torchs_functions(rng, config):
    """Logits equal those of torch's layer norm, attention, GELU and complex rotations, for any grouping."""
    weights = random_weights(config, rng)
    tokens = tokens_of(rng, 9, config=config)

    want = independent_forward(config, weights, tokens)

    assert torch.allclose(forward(config, weights, tokens), want, rtol=1e-10, atol=1e-10)


def test_the_future_is_not_seen(rng, weights):
    """Changing a token changes logits at its position and later, and none before."""
    tokens = tokens_of(rng, 8)
    changed = tokens.clone()
    changed[5] = (changed[5] + 1) % CONFIG.vocab_size

    same = (forward(CONFIG, weights, tokens) == forward(CONFIG, weights, changed)).all(-1)

    assert same[:5].all() and not same[5:].any()


@pytest.mark.parametrize("left", [True, False], ids=["left", "right"])
def test_padding_changes_nothing(rng, weights, left):
    """A padded sequence has the logits of the bare one, whatever stands in the padding, on either side."""
    tokens = tokens_of(rng, 2, 6)
    padding = tokens_of(rng, 2, 3)
    padded = torch.cat([padding, tokens] if left else [tokens, padding], 1)
    valid = torch.arange(9).expand(2, 9) >= 3 if left else torch.arange(9).expand(2, 9) < 6

    logits = forward(CONFIG, weights, padded, valid=valid)

    bare = forward(CONFIG, weights, tokens)
    assert torch.allclose(logits[:, 3:] if left else logits[:, :6], bare, rtol=1e-12, atol=1e-12)
    assert torch.isfinite(logits).all()


def test_the_model_is_differentiable_in_its_weights(rng):
    """Autograd through the model agrees with finite differences, padding included, without NaN."""
    config = ModelConfig(vocab_size=5, n_layers=1, n_heads=2, n_kv_heads=1, d_model=4, d_k=2)
    weights = random_weights(config, rng)
    tokens = tokens_of(rng, 2, 3, config=config)
    valid = torch.tensor([[False, True, True], [True, True, True]])
    for name in ("embedding", "blocks.0.W_Q", "blocks.0.norm_1.gain"):

        def f(w, name=name):
            return forward(config, {**weights, name: w}, tokens, valid=valid)[valid]

        check_vjp(f, (weights[name],), rng=rng)


def test_the_dtype_is_that_of_the_weights(rng, weights):
    """In float32 the logits are float32 and close to those in float64."""
    tokens = tokens_of(rng, 5)
    logits = forward(CONFIG, {name: w.float() for name, w in weights.items()}, tokens)

    assert logits.dtype == torch.float32
    assert torch.allclose(logits.double(), forward(CONFIG, weights, tokens), atol=1e-4)


def test_rotations_depend_on_the_distance_alone(rng):
    """Scores between rotated vectors depend on the difference of their positions, and lengths are kept."""
    q, k = (torch.from_numpy(rng.normal(size=(1, 1, 6))) for _ in range(2))

    def score(i, j):
        return (rotate(q, torch.tensor([i])) * rotate(k, torch.tensor([j]))).sum()

    assert score(7, 4) == pytest.approx(float(score(103, 100)), abs=1e-9)
    assert rotate(q, torch.tensor([9])).norm() == pytest.approx(float(q.norm()))
    assert torch.equal(rotate(q, torch.tensor([0])), q)


def test_layer_norm_is_torchs():
    """Layer norm is the biased one, with epsilon inside the root."""
    x = torch.randn(3, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    gain, bias = torch.rand(2, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).unbind()

    assert torch.allclose(layer_norm(x, gain, bias), F.layer_norm(x, (8,), gain, bias))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"d_k": 3}, "d_k must be even for rotary positions, got 3"),
        ({"n_kv_heads": 3}, "n_kv_heads must divide n_heads, got 3 and 4"),
        ({"n_layers": 0}, "n_layers must be at least 1, got 0"),
    ],
)
def test_configurations_are_checked(change, text):
    """A configuration that makes no model is refused with the rule and the value."""
    with pytest.raises(ValueError, match=text):
        dataclasses.replace(CONFIG, **change)


def test_inputs_are_checked(rng, weights):
    """Too many tokens, tokens out of range and a mask of another shape are refused."""
    with pytest.raises(ValueError, match="at most max_len = 64 positions, got 65"):
        forward(CONFIG, weights, tokens_of(rng, 65))
    with pytest.raises(ValueError, match=r"tokens must lie in 0\.\.16, got 17\.\.17"):
        forward(CONFIG, weights, torch.tensor([17]))
    with pytest.raises(ValueError, match="valid must have the shape of tokens"):
        forward(CONFIG, weights, tokens_of(rng, 3), valid=torch.ones(2) > 0)


def test_a_network_of_dense_layers_is_torchs(rng):
    """Linear layers with SiLU between them and none at the end; any leading axes."""
    weights = mlp_weights([3, 5, 4, 2], rng)
    layers = []
    for weight, bias in zip(weights[::2], weights[1::2], strict=True):
        layer = torch.nn.Linear(*weight.shape, dtype=torch.float64)
        layer.weight.data, layer.bias.data = weight.T, bias
        layers += [layer, torch.nn.SiLU()]
    x = torch.from_numpy(rng.standard_normal((2, 7, 3)))

    assert torch.allclose(mlp(weights, x), torch.nn.Sequential(*layers[:-1])(x), atol=1e-14)
    assert [tuple(weight.shape) for weight in weights] == [(3, 5), (5,), (5, 4), (4,), (4, 2), (2,)]
