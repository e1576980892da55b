"""How long the references of conv, attention and kv_cache take, against what torch has of its own.

    OMP_NUM_THREADS=1 python tests/benchmarks/against_torch.py [--repeats 9]

Times are CPU seconds of this process in one thread, medians of `repeats` rounds in which the contestants take turns, in
float32. Before a figure is printed, the contestants' answers are compared. What a reference is for is to be read and to be
right, so most of these are slower than torch; a student's code of the same kind may be expected in this region, and the time
limits of the checks allow for far more. Nothing here is pass or fail.

The table goes to stdout as Markdown: each contestant, its time, and how many times torch's own that is.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
import torch.nn.functional as F
from coursekit.toys import ModelConfig, random_weights

ROOT = Path(__file__).resolve().parents[2]

Contest = tuple[str, dict[str, Callable[[], object]]]
"""What is computed, and who computes it: the last one is torch's own."""


def reference(assignment: str) -> ModuleType:
    """An assignment's reference as a module."""
    path = ROOT / "solutions" / assignment / f"{assignment}.py"
    spec = importlib.util.spec_from_file_location(assignment, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[assignment] = module
    spec.loader.exec_module(module)
    return module


def convolution(rng: np.random.Generator) -> list[Contest]:
    """Forward and backward of a layer of a small network for images of 32 x 32 pixels."""
    conv = reference("conv")
    x, w = rng.normal(size=(8, 32, 32, 32)), rng.normal(size=(64, 32, 3, 3))
    x, w, b = (array.astype(np.float32) for array in (x, w, rng.normal(size=64)))
    dout = rng.normal(size=(8, 64, 32, 32)).astype(np.float32)
    tensors = [torch.from_numpy(array).requires_grad_() for array in (x, w, b)]

    def backward(function: Callable) -> list[torch.Tensor]:
        return list(torch.autograd.grad(function(*tensors, padding=1), tensors, torch.from_numpy(dout)))

    def forward(function: Callable) -> torch.Tensor:
        with torch.no_grad():
            return function(*tensors, padding=1)

    return [
        (
            "convolution, 8 images of 32 x 32, 32 to 64 channels, 3 x 3",
            {
                "`conv2d`, NumPy": lambda: conv.conv2d(x, w, b, padding=1),
                "`conv2d_im2col`, NumPy": lambda: conv.conv2d_im2col(x, w, b, padding=1),
                "`conv2d_torch`": functools.partial(forward, conv.conv2d_torch),
                "torch's `conv2d`": functools.partial(forward, F.conv2d),
            },
        ),
        (
            "its gradients; with autograd the forward pass is in it",
            {
                "`conv2d_backward`, NumPy": lambda: conv.conv2d_backward(dout, x, w, padding=1),
                "`conv2d_torch`, autograd": functools.partial(backward, conv.conv2d_torch),
                "torch's `conv2d`, autograd": functools.partial(backward, F.conv2d),
            },
        ),
    ]


def attention(rng: np.random.Generator) -> list[Contest]:
    """Causal attention over a long sequence, at once and in blocks of keys."""
    module = reference("attention")
    q, k, v = (torch.from_numpy(rng.normal(size=(1, 8, 1024, 64)).astype(np.float32)) for _ in range(3))
    return [
        (
            "causal attention, 8 heads, 1,024 tokens, d_k = 64",
            {
                "`scaled_dot_product_attention`": lambda: module.scaled_dot_product_attention(q, k, v, causal=True),
                "`blockwise_attention`, 128 keys": lambda: module.blockwise_attention(
                    q, k, v, block_size=128, causal=True
                ),
                "torch's `scaled_dot_product_attention`": lambda: F.scaled_dot_product_attention(
                    q, k, v, is_causal=True
                ),
            },
        )
    ]


def decoding(rng: np.random.Generator) -> list[Contest]:
    """Greedy generation by a small decoder; torch's own is its fused attention in the same loop, cache and all."""
    module = reference("kv_cache")
    n_prompt, n_new = 64, 64
    config = ModelConfig(512, 4, n_heads=8, n_kv_heads=4, d_model=128, d_k=16, max_len=n_prompt + n_new)
    weights = {name: weight.float() for name, weight in random_weights(config, rng).items()}
    prompt = rng.integers(0, config.vocab_size, n_prompt).tolist()

    def fused(q, k, v, *, padding=None, window=None):  # all queries see all keys, or are the first tokens themselves
        return F.scaled_dot_product_attention(q[None], k[None], v[None], is_causal=q.shape[-2] > 1, enable_gqa=True)[0]

    layer = functools.partial(module.cached_attention, attend=fused)

    @torch.no_grad()
    def cached(layer: Callable | None) -> list[int]:
        caches = module.new_caches(config)
        step = functools.partial(module.cached_forward, config, weights, caches=caches, layer=layer)
        return module.generate_cached(step, prompt, max_len=n_new)

    @torch.no_grad()
    def naive(layer: Callable | None) -> list[int]:
        def model(tokens: torch.Tensor) -> torch.Tensor:
            return module.cached_forward(config, weights, tokens, module.new_caches(config), layer=layer)

        return module.generate_naive(model, prompt, max_len=n_new)

    return [
        (
            f"{n_new} tokens after {n_prompt}, 4 layers, d_model = 128, 8 heads on 4",
            {
                "`generate_naive`, nothing cached": functools.partial(naive, None),
                "nothing cached, torch's attention": functools.partial(naive, layer),
                "`generate_cached`": functools.partial(cached, None),
                "cached, torch's attention": functools.partial(cached, layer),
            },
        )
    ]


def same(contestants: dict[str, Callable[[], object]]) -> bool:
    """Whether all give the same answers, to what float32 leaves after sums of a thousand terms."""
    answers = [contestant() for contestant in contestants.values()]
    parts = [answer if isinstance(answer, (tuple, list)) else [answer] for answer in answers]

    def array(part: object) -> np.ndarray:
        return part.detach().numpy() if isinstance(part, torch.Tensor) else np.asarray(part)

    def close(got: object, want: object) -> bool:
        got, want = array(got), array(want)
        return got.shape == want.shape and np.allclose(got, want, rtol=1e-3, atol=1e-4 * np.abs(want).max())

    return all(len(part) == len(parts[-1]) and all(map(close, part, parts[-1])) for part in parts[:-1])


def times(contestants: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median CPU seconds of each, in turns."""
    spent: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, contestant in contestants.items():
            begun = time.process_time()
            contestant()
            spent[name].append(time.process_time() - begun)
    return {name: statistics.median(figures) for name, figures in spent.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}, NumPy {np.__version__}, one thread, medians of {options.repeats}\n")
    print("| | CPU ms | times torch's |\n| --- | ---: | ---: |")
    rng = np.random.default_rng(0)
    for what, contestants in [*convolution(rng), *attention(rng), *decoding(rng)]:
        if not same(contestants):
            sys.exit(f"no figures: {what}: {', '.join(contestants)} do not all give the same")
        found = times(contestants, options.repeats)
        *_, own = found.values()
        print(f"| **{what}** | | |")
        for name, seconds in found.items():
            print(f"| {name} | {1e3 * seconds:.1f} | {seconds / own:.1f} |")


if __name__ == "__main__":
    main()
