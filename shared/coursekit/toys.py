"""Small models that several assignments use, where building them is not the exercise.

A network of dense layers, `mlp`, with its weights in a list. And one decoder-only transformer in plain code, with its
weights in a dictionary: `ModelConfig` says how large it is, `weight_shapes` names its weights, `random_weights` draws
them and `forward` runs it. Conventions:

- vectors are rows, so a layer is x @ W + b with W of shape (in, out);
- pre-norm blocks: x + attention(norm_1(x)), then x + mlp(norm_2(x));
- layer norm over the features, biased variance, epsilon 1e-5 inside the root, with gain and bias;
- rotary positions on queries and keys, pairing dimensions (2i, 2i + 1), base 10000, the first token at 0;
- query head i reads key and value head i // (n_heads / n_kv_heads);
- scores are scaled by 1/√d_k, and token t sees tokens 0 .. t;
- the MLP has one hidden layer of width 4 d_model, with the exact GELU;
- a final norm, and the embedding table again as the output layer.

Torch is imported when a function is called, so that importing this module needs none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

NORM_EPS = 1e-5
ROPE_BASE = 10_000.0


@dataclass(frozen=True)
class ModelConfig:
    """The size of a small decoder-only transformer.

    Attributes:
        vocab_size: Number of tokens V; tokens are 0 .. V - 1.
        n_layers: Number of blocks L.
        n_heads: Query heads h.
        n_kv_heads: Key and value heads h_kv; divides n_heads, equal to it without grouping.
        d_model: Width of the residual stream.
        d_k: Width of one head, even; the heads together need not be d_model wide.
        max_len: The longest sequence, in tokens, prompt included.

    Raises:
        ValueError: If a size is below one, n_kv_heads does not divide n_heads, or d_k is odd.
    """

    vocab_size: int = 17
    n_layers: int = 3
    n_heads: int = 4
    n_kv_heads: int = 2
    d_model: int = 16
    d_k: int = 4
    max_len: int = 64

    def __post_init__(self) -> None:
        for name in ("vocab_size", "n_layers", "n_heads", "n_kv_heads", "d_model", "d_k", "max_len"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.n_heads % self.n_kv_heads:
            raise ValueError(f"n_kv_heads must divide n_heads, got {self.n_kv_heads} and {self.n_heads}")
        if self.d_k % 2:
            raise ValueError(f"d_k must be even for rotary positions, got {self.d_k}")


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every weight, in the order in which `forward` uses them.

    Per block l: `blocks.{l}.norm_1.gain`, `.norm_1.bias`, `.W_Q`, `.W_K`, `.W_V`, `.W_O`, `.norm_2.gain`,
    `.norm_2.bias`, `.W_1`, `.b_1`, `.W_2`, `.b_2`. Around them `embedding` (tied), `norm.gain`, `norm.bias`.
    """
    d, hidden = config.d_model, 4 * config.d_model
    queries, keys = config.n_heads * config.d_k, config.n_kv_heads * config.d_k
    shapes: dict[str, tuple[int, ...]] = {"embedding": (config.vocab_size, d)}
    for layer in range(config.n_layers):
        block = {
            "norm_1.gain": (d,),
            "norm_1.bias": (d,),
            "W_Q": (d, queries),
            "W_K": (d, keys),
            "W_V": (d, keys),
            "W_O": (queries, d),
            "norm_2.gain": (d,),
            "norm_2.bias": (d,),
            "W_1": (d, hidden),
            "b_1": (hidden,),
            "W_2": (hidden, d),
            "b_2": (d,),
        }
        shapes.update({f"blocks.{layer}.{name}": shape for name, shape in block.items()})
    shapes.update({"norm.gain": (d,), "norm.bias": (d,)})
    return shapes


def random_weights(config: ModelConfig, rng: np.random.Generator) -> dict[str, Tensor]:
    """Return random weights under the names of `weight_shapes`: float64 CPU tensors that require no gradient.

    Matrices are normal with variance 1/fan-in, the embedding with variance 1/d_model; gains are near 1 and
    biases near 0 but never at them, so that a forgotten gain or bias shows.

    Args:
        config: The model's size.
        rng: The only source of randomness.
    """
    import torch

    weights = {}
    for name, shape in weight_shapes(config).items():
        values = rng.standard_normal(shape)
        if name.endswith(".gain"):
            values = 1 + 0.1 * values
        elif len(shape) == 1:
            values = 0.1 * values
        elif name == "embedding":
            values = values / math.sqrt(config.d_model)
        else:
            values = values / math.sqrt(shape[0])
        weights[name] = torch.from_numpy(values)
    return weights


def forward(config: ModelConfig, weights: dict[str, Tensor], tokens: Tensor, *, valid: Tensor | None = None) -> Tensor:
    """Return the logits of the next token at every position, computed for the whole sequence, without a cache.

    Args:
        config: The model's size.
        weights: As `random_weights` returns, in any floating dtype and on any device.
        tokens: Token ids, shape (..., T), integers.
        valid: Boolean, shape (..., T): False at padding, which is neither seen nor counted as a position,
            on either side. Default: every token counts.

    Returns:
        Shape (..., T, vocab_size), in the weights' dtype. Differentiable in the weights. At padding the
        logits mean nothing.

    Raises:
        ValueError: If T exceeds max_len, a token is out of range, or `valid` has another shape than `tokens`.
    """
    import torch

    length = tokens.shape[-1]
    if length > config.max_len:
        raise ValueError(f"tokens must hold at most max_len = {config.max_len} positions, got {length}")
    low, high = (int(tokens.min()), int(tokens.max())) if tokens.numel() else (0, 0)
    if not 0 <= low <= high < config.vocab_size:
        raise ValueError(f"tokens must lie in 0..{config.vocab_size - 1}, got {low}..{high}")
    if valid is not None and valid.shape != tokens.shape:
        shapes = f"{tuple(tokens.shape)}, got {tuple(valid.shape)}"
        raise ValueError(f"valid must have the shape of tokens {shapes}")

    seen = torch.ones(length, length, dtype=torch.bool, device=tokens.device).tril()  # (T, T)
    positions = torch.arange(length, device=tokens.device)  # (T,)
    if valid is not None:
        seen = seen & valid[..., None, :]  # (..., T, T)
        positions = (valid.cumsum(-1) - 1).clamp(min=0)  # (..., T)

    x = weights["embedding"][tokens]  # (..., T, d_model)
    for layer in range(config.n_layers):
        x = _block(config, weights, f"blocks.{layer}.", x, positions, seen)
    x = layer_norm(x, weights["norm.gain"], weights["norm.bias"])
    return x @ weights["embedding"].T  # (..., T, V)


def layer_norm(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """Return x with mean 0 and (biased) variance 1 over its last axis, times gain, plus bias."""
    centered = x - x.mean(-1, keepdim=True)
    variance = (centered * centered).mean(-1, keepdim=True)
    return centered / (variance + NORM_EPS).sqrt() * gain + bias


def rotate(x: Tensor, positions: Tensor) -> Tensor:
    """Return x with each pair of dimensions (2i, 2i + 1) turned by the angle position / base^(2i / d_k).

    Args:
        x: Shape (..., h, T, d_k).
        positions: Shape (T,) or (..., T), without the head axis.

    Returns:
        The shape of `x`.
    """
    import torch

    d_k = x.shape[-1]
    frequencies = ROPE_BASE ** (-torch.arange(0, d_k, 2, dtype=x.dtype, device=x.device) / d_k)  # (d_k / 2,)
    angles = positions[..., None, :, None].to(x.dtype) * frequencies  # (..., 1, T, d_k / 2)
    cos, sin = angles.cos(), angles.sin()
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1).flatten(-2)


def _block(
    config: ModelConfig, weights: dict[str, Tensor], prefix: str, x: Tensor, positions: Tensor, seen: Tensor
) -> Tensor:
    import torch

    w = {name.removeprefix(prefix): weight for name, weight in weights.items() if name.startswith(prefix)}
    x = x + _attention(config, w, layer_norm(x, w["norm_1.gain"], w["norm_1.bias"]), positions, seen)
    hidden = layer_norm(x, w["norm_2.gain"], w["norm_2.bias"]) @ w["W_1"] + w["b_1"]
    return x + torch.nn.functional.gelu(hidden) @ w["W_2"] + w["b_2"]


def _attention(config: ModelConfig, w: dict[str, Tensor], x: Tensor, positions: Tensor, seen: Tensor) -> Tensor:
    def heads(y: Tensor, n: int) -> Tensor:
        return y.unflatten(-1, (n, config.d_k)).transpose(-2, -3)  # (..., n, T, d_k)

    q = rotate(heads(x @ w["W_Q"], config.n_heads), positions)
    k = rotate(heads(x @ w["W_K"], config.n_kv_heads), positions)
    v = heads(x @ w["W_V"], config.n_kv_heads)
    group = config.n_heads // config.n_kv_heads
    k, v = k.repeat_interleave(group, -3), v.repeat_interleave(group, -3)  # (..., h, T, d_k)
    scores = q @ k.transpose(-1, -2) / math.sqrt(config.d_k)  # (..., h, T, T)
    scores = scores.masked_fill(~seen.unsqueeze(-3), -math.inf)
    # A row of padding sees nothing: it is given zeros, where a softmax of nothing would be NaN.
    blind = ~seen.any(-1, keepdim=True).unsqueeze(-3)
    probabilities = scores.masked_fill(blind, 0.0).softmax(-1).masked_fill(blind, 0.0)
    return (probabilities @ v).transpose(-2, -3).flatten(-2) @ w["W_O"]


# Dense layers


def mlp_weights(sizes: Sequence[int], rng: np.random.Generator) -> list[Tensor]:
    """Return the weights of a network of dense layers: W_1, b_1, W_2, b_2, …, float64 CPU tensors without gradients.

    Matrices are normal with variance 1/fan-in; biases are near 0 but never at it, so that a forgotten bias shows.

    Args:
        sizes: Width of the input, of each hidden layer and of the output; W_i has shape (sizes[i - 1], sizes[i]).
        rng: The only source of randomness.
    """
    import torch

    weights = []
    for fan_in, fan_out in pairwise(sizes):
        weights.append(torch.from_numpy(rng.standard_normal((fan_in, fan_out)) / math.sqrt(fan_in)))
        weights.append(torch.from_numpy(0.1 * rng.standard_normal(fan_out)))
    return weights


def mlp(weights: Sequence[Tensor], x: Tensor) -> Tensor:
    """Return what a network of dense layers makes of x: SiLU after every layer but the last.

    Args:
        weights: As `mlp_weights` returns.
        x: Shape (..., fan_in).

    Returns:
        Shape (..., fan_out); differentiable, and smooth in x.
    """
    import torch

    for i in range(0, len(weights), 2):
        if i:
            x = torch.nn.functional.silu(x)
        x = x @ weights[i] + weights[i + 1]
    return x
