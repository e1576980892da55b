"""Draws what a cache saves and what it costs, from your own code. Run: python figures.py

A figure whose task isn't written yet is skipped, and so is a curve. `time_per_token` generates with a small
model, which takes a few seconds.
"""

import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, main
from coursekit.plots import COLORS, subplots
from coursekit.toys import ModelConfig, forward, random_weights, weight_shapes

N_PROMPT, N_NEW = 32, 320
SIZE = ModelConfig(
    vocab_size=50, n_layers=2, n_heads=4, n_kv_heads=2, d_model=64, d_k=16, max_len=N_PROMPT + N_NEW
)
# In the shape of models of 2024; the MLP of coursekit.toys is narrower than theirs, so it has six billion weights.
LARGE = ModelConfig(
    vocab_size=128_000, n_layers=32, n_heads=32, n_kv_heads=8, d_model=4096, d_k=128, max_len=131_072
)


@figure("visible_keys", caption="The three newest of eight tokens: blue is what each of them sees.")
def visible(student):
    maps = {
        "causal": {},
        "window = 4": {"window": 4},
        "padding = 3": {"padding": torch.tensor([3])},
    }
    colors = ListedColormap(["white", COLORS["sky"]])
    fig, axes = subplots(1, 3, size=(12, 2.6))
    for ax, (title, options) in zip(axes, maps.items(), strict=True):
        seen = student.visible_keys(3, 8, **options).reshape(3, 8)
        ax.pcolormesh(seen, cmap=colors, vmin=0, vmax=1, edgecolors=COLORS["grey"])
        ax.invert_yaxis()
        ax.set(title=title, xlabel="slot of the key", aspect="equal")
        ax.set(xticks=[i + 0.5 for i in range(8)], xticklabels=list("01234567"))
        ax.set(yticks=[i + 0.5 for i in range(3)], yticklabels=list("567"))
        ax.grid(False)
        ax.tick_params(length=0)
    axes[0].set_ylabel("slot of the query")
    squares = [
        Patch(facecolor=colors(i), edgecolor=COLORS["grey"], label=name)
        for i, name in enumerate(("hidden", "seen"))
    ]
    fig.legend(handles=squares, loc="outside upper right", ncols=2)
    return fig


def curves(ax, drawings):
    """Draw the curves whose tasks are written, and say in one line which one is missing and why."""
    missing = []
    for label, draw in drawings.items():
        try:
            draw(label)
        except NotImplementedError as error:
            missing.append(error)
            print(f"left out: {label}, {error}")
    if len(missing) == len(drawings):
        raise missing[0]
    ax.legend()


@figure("work", caption="On logarithmic axes a power is a slope.")
def work(student):
    lengths = np.unique(np.geomspace(1, 4096, 40).astype(int))
    fig, axes = subplots(1, 2, size=(11, 4.2))
    counts = {"Tokens fed": student.tokens_fed, "Scores of one head": student.attention_scores}
    drawn = []
    for ax, (title, count) in zip(axes, counts.items(), strict=True):
        ax.set(title=title, xlabel="tokens generated", ylabel="in all")
        try:
            for cached, label in ((False, "no cache"), (True, "cache")):
                ax.loglog(lengths, [count(1, int(n), cached=cached) for n in lengths], label=label)
        except NotImplementedError as error:
            print(f"left out: {title}, {error}")
        else:
            ax.legend()
            drawn.append(ax)
    if not drawn:
        raise NotImplementedError("task memory is not written yet")
    return fig


def stopwatch(log, function):
    """The same function, with the time of each call in ms added to `log`."""

    def timed(tokens):
        begun = time.perf_counter()
        logits = function(tokens)
        log.append(1000 * (time.perf_counter() - begun))
        return logits

    return timed


@figure("time_per_token", caption="Measured on this machine, with a model of two layers.")
def time_per_token(student):
    weights = {name: w.float() for name, w in random_weights(SIZE, np.random.default_rng(0)).items()}
    prompt = list(range(N_PROMPT))
    fig, ax = subplots()

    def without(label):
        times = []
        student.generate_naive(stopwatch(times, lambda x: forward(SIZE, weights, x)), prompt, max_len=N_NEW)
        plot(label, times, "blue")

    def with_caches(label):
        times, caches = [], student.new_caches(SIZE)
        step = stopwatch(times, lambda x: student.cached_forward(SIZE, weights, x, caches))
        student.generate_cached(step, prompt, max_len=N_NEW)
        plot(label, times, "orange")

    def plot(label, times, color):
        # Other programs only ever add time: the quicker calls among neighbors are closest to the work.
        blocks = np.array(times[: len(times) // 16 * 16]).reshape(-1, 16)
        quick = np.quantile(blocks, 0.25, axis=1)
        ax.plot(8 + 16 * np.arange(len(blocks)), quick, color=COLORS[color], label=label)

    with torch.no_grad():
        curves(ax, {"no cache": without, "cache": with_caches})
    ax.set(title="Time per token", xlabel="tokens generated before it", ylabel="ms", ylim=(0, None))
    return fig


@figure("memory", caption="What one conversation's cache takes, beside the weights, all in bfloat16.")
def memory(student):
    contexts = np.unique(np.geomspace(512, 262_144, 30).astype(int))
    every_head = replace(LARGE, n_kv_heads=LARGE.n_heads)
    weights = 2 * sum(math.prod(shape) for shape in weight_shapes(LARGE).values()) / 1e9
    fig, ax = subplots(size=(7.2, 4.4))
    for config, window, label in (
        (every_head, None, "a key head for each of 32 query heads"),
        (LARGE, None, "8 key heads"),
        (LARGE, 4096, "8 key heads, window of 4096"),
    ):
        sizes = [student.cache_bytes(config, int(n), window=window) / 1e9 for n in contexts]
        ax.loglog(contexts, sizes, label=label)
    ax.axhline(weights, color=COLORS["grey"], linestyle=":", linewidth=1.5)
    label = f"{weights / 2:.1f} billion weights (8 key heads): {weights:.1f} GB"
    ax.text(contexts[0], 1.15 * weights, label, color=COLORS["grey"], size=9)
    ax.set(title="Memory of the cache", xlabel="tokens in the context", ylabel="GB (10⁹ bytes)")
    ax.legend(loc="lower right")
    return fig


if __name__ == "__main__":
    main("kv_cache")
