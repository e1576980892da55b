"""Draws what fine-tuning does, from your own code. Run: python figures.py

A figure needs one task, which its name says. A line says what is missing. `forgetting` trains a small network, which takes a few
seconds.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.drawing import figure, main
from coursekit.plots import COLORS, subplots

F64 = torch.float64


def normal(generator, *shape):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=generator, dtype=F64)


def frequencies(ids, mask):
    """Loss and gradient of a model that has one logit for each of 20 tokens, all 0 so far."""
    counted = ids[:, 1:][mask[:, 1:]]
    shares = torch.bincount(counted, minlength=20).double() / len(counted)
    return torch.tensor(20.0, dtype=F64).log(), {"logits": 1 / 20 - shares}


@figure("splits", caption="202 counted tokens in two micro-batches, 20 kinds of tokens: how wrong the gradient is, by the size of the short one.")
def splits(student):
    ids = (20 * torch.rand(1, 203, generator=torch.Generator().manual_seed(0), dtype=F64) ** 3).long()
    mask = torch.ones(1, 203, dtype=torch.bool)
    whole = frequencies(ids, mask)[1]["logits"]
    fig, ax = subplots(size=(8, 4.2))
    short = [1, 2, 3, 5, 8, 13, 21, 34, 55, 80, 101]
    errors = []
    for n in short:
        # the short micro-batch has n counted tokens, the long one the other 202 - n
        batches = [(ids[:, : n + 1], mask[:, : n + 1]), (ids[:, n:], mask[:, n:])]
        plain = sum(frequencies(*batch)[1]["logits"] for batch in batches) / 2
        yours = student.accumulate(batches, frequencies)[1]["logits"]
        errors.append([100 * float((g - whole).norm() / whole.norm()) for g in (plain, yours)])
    plain, yours = np.array(errors).T
    ax.plot(short, plain, "o-", color=COLORS["red"], label="mean of the two means", markersize=4)
    ax.plot(short, yours, "o-", color=COLORS["blue"], label="yours", markersize=4)
    ax.annotate(f"2 : 200, {plain[1]:.0f}%", (short[1], plain[1]), (10, -3), textcoords="offset points", size=10)
    ax.set(title="Error of the gradient", xlabel="counted tokens in the short micro-batch", ylabel="error / gradient (%)")
    ax.legend()
    return fig


def example_lengths():
    """400 examples, as long as answers are: many short, few long."""
    rng = np.random.default_rng(0)
    return np.minimum(np.ceil(rng.lognormal(4.5, 0.8, 400)).astype(int), 512).tolist()


@figure("packing", caption="400 examples in rows of 512 tokens. A bar is a row, and each color in it is an example.")
def packing(student):
    lengths = example_lengths()
    in_order, used = [[]], 0
    for i, n in enumerate(lengths):
        if used + n > 512:
            in_order.append([])
            used = 0
        in_order[-1].append(i)
        used += n
    ways = (("in the order given", in_order), ("yours", student.best_fit(lengths, row_len=512)))
    fig, axes = subplots(1, 2, size=(12, 3.9), sharey=True)
    shades = [COLORS[name] for name in ("blue", "sky")]
    for ax, (name, rows) in zip(axes, ways, strict=True):
        filled = np.zeros(len(rows))
        for k in range(max(map(len, rows))):
            heights = np.array([lengths[row[k]] if k < len(row) else 0 for row in rows])
            ax.bar(range(len(rows)), heights, bottom=filled, width=1.0, color=shades[k % 2])
            filled += heights
        waste = 1 - filled.sum() / (512 * len(rows))
        ax.set(title=f"{name}: {len(rows)} rows, {waste:.0%} padding", xlabel="row", ylim=(0, 512), xlim=(-0.5, 110))
        ax.grid(False)
    axes[0].set_ylabel("tokens")
    return fig


@figure("first_step", caption="By how much the first step lowers the loss, to first order, in units of lr times the squared gradient.")
def first_step(student):
    ranks = [1, 2, 4, 8, 16, 32]
    falls = {"α / rank": [], "α / √rank": []}
    for rank in ranks:
        totals = dict.fromkeys(falls, 0.0)
        for seed in range(100):
            generator = torch.Generator().manual_seed(seed)
            G, A = normal(generator, 64, 64), normal(generator, 64, rank) / 8
            for name, alpha in zip(falls, (16.0, 16.0 * rank**0.5), strict=True):
                change = student.first_change(G, A, alpha=alpha, lr=1.0)
                totals[name] -= float((change * G).sum() / (G * G).sum()) / 100
        for name, total in totals.items():
            falls[name].append(total)
    fig, ax = subplots(size=(7.2, 4.3))
    for (name, values), color in zip(falls.items(), ("red", "blue"), strict=True):
        ax.loglog(ranks, values, "o-", color=COLORS[color], label=name)
    ax.set(title="The first step of an adapter", xlabel="rank", ylabel="fall of the loss", xticks=ranks)
    heights = [0.125, 0.25, 0.5, 1, 2, 4]
    ax.set(xticklabels=ranks, yticks=heights, yticklabels=heights)
    ax.minorticks_off()
    ax.legend(title="factor in front of A B", loc="lower left")
    return fig


@figure("prefix", caption="Weights of one query over ten keys of a text, without a prefix and with one. The text's keys are the same in both.")
def prefix(student):
    generator = torch.Generator().manual_seed(0)
    q, k = normal(generator, 1, 8), normal(generator, 10, 8)
    prefix_k = normal(generator, 3, 8)
    # values that name their key: what comes out is the weight of each key
    values = torch.eye(13, dtype=F64)
    base, lse = student.attention(q, k, values[3:])
    out, share = student.prefix_attention(q, prefix_k, values[:3], base=base, base_lse=lse)
    fig, (left, right) = subplots(1, 2, size=(11.5, 3.8))
    place = np.arange(13)
    for shift, weights, color, name in ((-0.2, base, "grey", "without"), (0.2, out, "blue", f"with; share {float(share):.2f}")):
        left.bar(place + shift, weights[0], width=0.4, color=COLORS[color], label=name)
    names = ["p1", "p2", "p3", *map(str, range(1, 11))]
    left.set(title="Weights", xlabel="key (p: prefix)", ylabel="weight", xticks=place, xticklabels=names)
    left.legend(title="prefix")
    right.bar(place[3:], (out / base)[0, 3:], width=0.6, color=COLORS["blue"])
    right.set(title="Weight with the prefix / weight without", xlabel="key of the text", ylabel="ratio", xticks=place[3:], xticklabels=names[3:])
    right.set(ylim=(0, 1.1))
    for ax in (left, right):
        ax.grid(axis="x", visible=False)
    return fig


@figure("votes", caption="How often a vote of n samples is right, for three models. A model is given by how often one of its samples is right, wrong or silent.")
def votes(student):
    fig, ax = subplots(size=(8.6, 4.4))
    counts = [1, 2, 3, 4, 5, 7, 9, 11, 15, 21, 31, 41]
    models = (
        ("right .40, wrong .35 and .25", [0.4, 0.35, 0.25], "blue"),
        ("right .40, wrong .30, silent .30", [0.4, 0.3], "green"),
        ("right .30, wrong .40 and .30", [0.3, 0.4, 0.3], "red"),
    )
    for name, p, color in models:
        ax.plot(counts, [student.vote_accuracy(p, n) for n in counts], "o-", color=COLORS[color], label=name, markersize=4)
    ax.set(title="Voting", xlabel="samples", ylabel="how often the vote is right", ylim=(0, 1))
    ax.legend(loc="upper left")
    return fig


def two_tasks(student, *, seed):
    """Two tasks of four classes, inputs around four centers and around four others, and a network that has learned the first.

    Returns:
        The old task and the new one, of which only 20 inputs are for training; fresh inputs of both; the network's weights; noise for
        an adapter of rank 2.
    """
    generator = torch.Generator().manual_seed(seed)
    centers = 2.2 * torch.linalg.qr(normal(generator, 8, 8)).Q

    def points(rows, n):
        y = torch.arange(len(rows)).repeat(n)
        return centers[rows].repeat(n, 1) + 0.7 * normal(generator, len(y), 8), y

    old, new = points([0, 1, 2, 3], 60), points([4, 5, 6, 7], 5)
    old_test, new_test = points([0, 1, 2, 3], 250), points([4, 5, 6, 7], 250)
    shapes = {"W_1": (8, 16), "b_1": (16,), "W_2": (16, 4), "b_2": (4,)}
    weights = {name: 0.4 * normal(generator, *shape) for name, shape in shapes.items()}
    weights = student.adapt(weights, *old, method="full", lr=0.5, n_steps=300)
    return old, new, old_test, new_test, weights, normal(generator, 8, 2) / 8**0.5


@figure("forgetting", caption="Networks that have learned an old task learn a new one by four methods. Accuracy on fresh inputs after 0, 4, 16, 64 and 256 steps, mean over twelve networks.")
def forgetting(student):
    fig, ax = subplots(size=(7.6, 5.0))
    methods = (("full", "red", 212), ("head", "purple", 68), ("lora", "blue", 48), ("bias", "green", 20))
    paths = {method: [] for method, _, _ in methods}  # of each network, by steps: accuracy on the new task and on the old one
    for seed in range(12):
        _, new, old_test, new_test, start, noise = two_tasks(student, seed=seed)
        for method in paths:
            options = {"noise": noise, "alpha": 2.0} if method == "lora" else {}
            ends = [student.adapt(start, *new, method=method, lr=0.3, n_steps=n, **options) for n in (0, 4, 16, 64, 256)]
            paths[method].append([[student.accuracy(weights, *test) for test in (new_test, old_test)] for weights in ends])
    for method, color, n_trained in methods:
        path = 100 * np.mean(paths[method], axis=0)
        ax.plot(*path.T, ".-", color=COLORS[color], label=f"{method}: {n_trained / 212:.0%} of the numbers", clip_on=False)
        ax.plot(*path[-1], "o", color=COLORS[color], markersize=9, clip_on=False)
    ax.set(title="Learned and forgotten", xlabel="accuracy on the new task (%)", ylabel="accuracy on the old task (%)")
    ax.set(xlim=(0, 100), ylim=(0, 103))
    ax.legend(loc="lower left", title="trained")
    return fig


if __name__ == "__main__":
    main("finetuning")
