"""Figures of the conv assignment, drawn from your own conv.py: `python figures.py`."""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import digits, edge_kernel, zero_image
from coursekit.drawing import figure, main
from coursekit.plots import COLORS, DIVERGING, subplots


def counted(size, kernel, *, stride=1, padding=0, dilation=1):
    """An output's size by counting, so that no figure waits for `output_size`."""
    return sum(start + dilation * (kernel - 1) < size + 2 * padding for start in range(0, size + 2 * padding, stride))


def ready(function, *args, **settings):
    """What a function gives, or None with a line that says what is missing."""
    try:
        return function(*args, **settings)
    except NotImplementedError as error:
        print(f"  left out: {function.__name__}, {error}")
        return None


def picture(ax, image, title, *, limit=None):
    """An image; if `limit` is given, one of both signs in two colors, with white for 0."""
    if limit:
        ax.imshow(image, cmap=DIVERGING, vmin=-limit, vmax=limit)
    else:
        ax.imshow(image, cmap="Greys", vmin=0, vmax=1)
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(True)


@figure(
    "feature_maps",
    caption="What two edge kernels see in the 0 and in drawn digits. Orange: ink above (left), paper below (right); purple: the "
    "reverse. Padding is paper, so ink at the rim is an edge.",
)
def feature_maps(student):
    images, labels = digits(60, size=10, seed=4, noise=0.03)
    seven, two = (images[list(labels).index(digit), 0] for digit in (7, 2))
    kernels = np.stack([edge_kernel(), edge_kernel().T])[:, None]

    fig, axes = subplots(3, 3, size=(8.4, 8.6))
    for row, image in zip(axes, (zero_image(), seven, two), strict=True):
        maps = student.conv2d(image[None, None], kernels, padding=1, size=counted)[0]
        picture(row[0], image, "image")
        for ax, feature_map, name in zip(row[1:], maps, ("horizontal edges", "vertical edges"), strict=True):
            picture(ax, feature_map, name, limit=2.7)
    return fig


@figure("matrix", caption="Few different numbers, most of them 0. Only the stride breaks the diagonals: its band moves two columns a row.")
def matrix(student):
    w = np.array([[1.0, 2, 3], [-1, -2, -3], [2, 0, -2]])[None, None]
    settings = {
        "a 3 × 3 kernel on 6 × 6": {},
        "stride 2": {"stride": 2},
        "dilation 2": {"dilation": 2},
        "padding 1": {"padding": 1},
    }

    # matrices of 16, 4 and 4 rows one above the other, beside one of 36
    fig, axes = subplots(3, 2, size=(10.4, 5.8), gridspec_kw={"height_ratios": (16, 4, 4)})
    grid = axes[0, 0].get_gridspec()
    for ax in axes[:, 1]:
        ax.remove()
    panels = *axes[:, 0], fig.add_subplot(grid[:, 1])
    for ax, (name, setting) in zip(panels, settings.items(), strict=True):
        matrix = student.conv_matrix(w, (1, 6, 6), **setting, size=counted)
        picture(ax, matrix, name, limit=3)
        ax.set(xlabel=f"{matrix.shape[1]} pixels", ylabel=f"{matrix.shape[0]} outputs")
    return fig


@figure("receptive_field", caption="Strides and dilations widen the view by factors, plain layers by steps.")
def receptive_field(student):
    stacks = {
        "kernel 3": [(3, 1, 1, 1)] * 10,
        "kernel 3, every other one a pool": [(3, 1, 1, 1), (2, 2, 0, 1)] * 5,
        "kernel 3, dilation 1, 2, 4, 8, 16": [(3, 1, 2**k, 2**k) for k in range(5)],
    }
    fig, ax = subplots()
    for name, layers in stacks.items():
        widths = [student.receptive_field(layers[:depth])[0] for depth in range(len(layers) + 1)]
        ax.plot(widths, marker="o", label=name)
    ax.set(title="How far an output sees", xlabel="layers", ylabel="pixels along an axis")
    ax.legend()
    return fig


@figure("cost", caption="The same multiplications, with and without Python between them: memory buys speed.")
def cost(student):
    rng = np.random.default_rng(0)
    w, sides = rng.standard_normal((8, 4, 3, 3)), (8, 12, 16, 24, 32)
    fig, (left, right) = subplots(1, 2, size=(11, 4.2))
    for name, function in (("loop", student.conv2d), ("one product", student.conv2d_im2col)):
        if ready(function, np.zeros((1, 4, 3, 3)), w, size=counted) is None:
            continue
        elapsed_ms = []
        for side in sides:
            x, best = rng.standard_normal((2, 4, side, side)), np.inf
            for _ in range(7):
                start = time.perf_counter()
                function(x, w, size=counted)
                best = min(best, time.perf_counter() - start)
            elapsed_ms.append(1000 * best)
        left.plot(sides, elapsed_ms, marker="o", label=name)
    left.set(title="Time of your functions", xlabel="pixels along a side", ylabel="milliseconds", yscale="log")
    if left.lines:
        left.legend()
    kernels = (1, 3, 5, 7)
    x = np.zeros((1, 1, 64, 64))
    if columns := ready(student.im2col, x, 1, size=counted) is not None:
        copies = [student.im2col(x, k, padding=k // 2, size=counted).size / 64**2 for k in kernels]
        right.bar([f"{k} × {k}" for k in kernels], copies, color=COLORS["sky"])
    right.set(title="The price in memory", xlabel="kernel", ylabel="numbers in the columns per pixel")
    if not left.lines and not columns:
        raise NotImplementedError("none of conv2d, im2col and conv2d_im2col is written yet")
    return fig


def train(student, x, y, *, n_filters=8, epochs=16, lr=0.01):
    """Train a convolution (by `conv2d_im2col`, or else `conv2d`), a ReLU, a pool and a linear layer with Adam.

    Returns:
        Parameters, the accuracy on the last fifth after each epoch, and the filters as they began.
    """
    rng = np.random.default_rng(1)
    n_train = len(x) * 4 // 5
    side = (x.shape[2] - 4) // 2
    params = {
        "filters": rng.standard_normal((n_filters, 1, 5, 5)) / 5,
        "biases": np.zeros(n_filters),
        "weights": rng.standard_normal((10, n_filters * side**2)) / side / np.sqrt(n_filters),
        "offsets": np.zeros(10),
    }
    first = params["filters"]
    mean, square = ({name: np.zeros_like(p) for name, p in params.items()} for _ in range(2))

    convolve = student.conv2d_im2col
    if ready(convolve, x[:1], params["filters"], size=counted) is None:
        convolve = student.conv2d  # slower

    def forward(x):
        maps = convolve(x, params["filters"], params["biases"], size=counted)
        active = np.maximum(maps, 0)
        pooled = student.max_pool2d(active, 2, size=counted)
        return maps, active, pooled, pooled.reshape(len(x), -1) @ params["weights"].T + params["offsets"]

    accuracies, t = [], 0
    for _ in range(epochs):
        order = rng.permutation(n_train)
        for start in range(0, n_train, 32):
            batch, t = order[start : start + 32], t + 1
            maps, active, pooled, logits = forward(x[batch])
            p = np.exp(logits - logits.max(axis=1, keepdims=True))
            dlogits = (p / p.sum(axis=1, keepdims=True) - np.eye(10)[y[batch]]) / len(batch)
            dpooled = (dlogits @ params["weights"]).reshape(pooled.shape)
            dmaps = student.max_pool2d_backward(dpooled, active, 2) * (maps > 0)
            _, dfilters, dbiases = student.conv2d_backward(dmaps, x[batch], params["filters"])
            dweights = dlogits.T @ pooled.reshape(len(batch), -1)
            grads = {"filters": dfilters, "biases": dbiases, "weights": dweights, "offsets": dlogits.sum(axis=0)}
            for name, g in grads.items():
                mean[name] = 0.9 * mean[name] + 0.1 * g
                square[name] = 0.999 * square[name] + 0.001 * g**2
                step = mean[name] / (1 - 0.9**t) / (np.sqrt(square[name] / (1 - 0.999**t)) + 1e-8)
                params[name] = params[name] - lr * step
        accuracies.append(float(np.mean(forward(x[n_train:])[-1].argmax(axis=1) == y[n_train:])))
    return params, accuracies, first


@figure(
    "learned",
    caption="Filters before and after training on digits: noise becomes strokes and edges. Orange weights are "
    "positive, purple ones negative, white ones 0; each filter is scaled by its own largest weight.",
)
def learned(student):
    x, y = digits(750, seed=2)
    params, accuracies, first = train(student, x, y)

    fig, axes = subplots(3, 8, size=(11, 6.2), gridspec_kw={"height_ratios": (1, 1, 2)})
    for row, filters in zip(axes, (first, params["filters"]), strict=False):
        for ax, kernel in zip(row, filters[:, 0], strict=True):
            picture(ax, kernel, "", limit=np.abs(kernel).max())
    axes[0, 0].set(ylabel="before")
    axes[1, 0].set(ylabel="after")
    grid = axes[2, 0].get_gridspec()
    for ax in axes[2]:
        ax.remove()
    ax = fig.add_subplot(grid[2, :])
    ax.plot(range(1, len(accuracies) + 1), accuracies, marker="o")
    ax.axhline(0.1, color=COLORS["grey"], linestyle=":")
    ax.text(len(accuracies), 0.12, "guessing", ha="right", color=COLORS["grey"])
    ax.set(title="Digits it was not trained on", xlabel="epoch", ylabel="part read correctly", ylim=(0, 1.02))
    return fig


if __name__ == "__main__":
    main("conv")
