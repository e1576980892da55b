"""Draws patches, positions, prices, boxes and masks from your own code. Run: python figures.py

A figure draws the parts whose functions are written, and says on its axes which function the other parts wait for.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.patches import Rectangle

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import digits
from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, name_lines, subplots

F64 = torch.float64
GRAY = {"cmap": "gray_r", "vmin": 0, "vmax": 1}


def digit(of=5, at=2):
    """A drawn digit of 12 x 12 pixels, shape (1, 1, 12, 12)."""
    images, labels = digits(200, noise=0.02)
    return torch.from_numpy(images[labels == of][at : at + 1]).double()


def bare(ax, title=""):
    """Axes without ticks, for an image."""
    ax.set(xticks=[], yticks=[], title=title)
    ax.grid(visible=False)


def outline(ax, box, color, **look):
    """Draw a box, (x1, y1, x2, y2) with edges between pixels, over an image."""
    x1, y1, x2, y2 = (float(v) for v in box)
    ax.add_patch(Rectangle((x1 - 0.5, y1 - 0.5), x2 - x1, y2 - y1, fill=False, ec=COLORS[color], **{"lw": 2.2, **look}))


@figure("patches", caption="A digit, its 16 patches as rows of 9 numbers, and the digit with its patches in another order.")
def patches_figure(student):
    fig, axes = subplots(1, 3, size=(11, 3.7))
    image = digit()
    axes[0].imshow(image[0, 0], **GRAY)
    for at in (2.5, 5.5, 8.5):
        axes[0].axhline(at, color=COLORS["blue"], lw=1)
        axes[0].axvline(at, color=COLORS["blue"], lw=1)
    with if_written(axes[1]):
        patches = student.patchify(image, 3)
        axes[1].imshow(patches[0], aspect="auto", **GRAY)
        with if_written(axes[2]):
            order = torch.from_numpy(np.random.default_rng(0).permutation(16))
            axes[2].imshow(student.unpatchify(patches[:, order], 3, 12, 12)[0, 0], **GRAY)
    bare(axes[0], "image, P = 3")
    bare(axes[1], "patchify: 16 × 9")
    axes[1].set(xlabel="number in the patch", ylabel="patch")
    bare(axes[2], "shuffled, then unpatchify")
    return fig


def likeness(positions, rows, columns, at):
    """The cosine of the angle between one position and all others, as a grid."""
    unit = positions / positions.norm(dim=-1, keepdim=True)
    return (unit @ unit[at]).reshape(rows, columns)


@figure("positions", caption="How alike the positions of a grid are to that of one patch (white mark), before and after a change of the grid.")
def positions_figure(student):
    fig, axes = subplots(1, 3, size=(12, 3.9), width_ratios=(1, 1, 1.5))
    with if_written(axes[0]):
        old = student.positions_2d(14, 14, 64)
        shown = axes[0].imshow(likeness(old, 14, 14, 14 * 4 + 9), vmin=0.55, vmax=1)
        axes[0].plot(9, 4, "w+", ms=10, mew=2)
        with if_written(axes[1]):
            with_cls = torch.cat([torch.zeros(1, 64, dtype=F64), old])
            for ax, rows, columns, row, column in ((axes[1], 28, 28, 8, 18), (axes[2], 10, 20, 3, 13)):
                new = student.resize_positions(with_cls, (14, 14), (rows, columns))[1:]
                ax.imshow(likeness(new, rows, columns, row * columns + column), vmin=0.55, vmax=1)
                ax.plot(column, row, "w+", ms=10, mew=2)
        fig.colorbar(shown, ax=axes, label="cosine", shrink=0.8)
    for ax, title in zip(axes, ("14 × 14", "resized to 28 × 28", "resized to 10 × 20"), strict=True):
        bare(ax, title)
    return fig


@figure("price", caption="Width 768 and 12 blocks. Left: multiplications of the blocks. Right: the share of the products between pairs of tokens.")
def price_figure(student):
    fig, (left, right) = subplots(1, 2, size=(11, 4.0))
    with if_written(left):
        for P, color, ls in ((16, "blue", "-"), (8, "red", "--")):
            sides = np.arange(64, 2049, 64)
            cost = np.array([student.block_multiplications(1 + (int(side) // P) ** 2, 768) for side in sides], dtype=float)
            left.loglog(sides, 12 * cost.sum(1) / 1e9, ls, color=COLORS[color], label=f"P = {P}")
            right.plot(sides, cost[:, 1] / cost.sum(1), ls, color=COLORS[color], label=f"P = {P}")
        for ax in (left, right):
            ax.axvline(224, color=COLORS["grey"], ls=":", lw=1.2)
            ax.annotate("224", (224, 0.98), xycoords=("data", "axes fraction"), xytext=(4, 0), textcoords="offset points", va="top", size=9)
            ax.legend(loc="lower right")
        left.set(xticks=[64, 224, 512, 1024, 2048], xticklabels=["64", "224", "512", "1024", "2048"])
        left.minorticks_off()
    left.set(title="What the blocks cost", xlabel="side of the image (pixels)", ylabel="billion multiplications")
    right.set(title="The share of the pairs", xlabel="side of the image (pixels)", ylabel="share", ylim=(0, 1))
    return fig


def street(seed=1):
    """A color image of 24 x 32 pixels with two objects, their boxes, and the mask of classes 0, 1 and 2."""
    rng = np.random.default_rng(seed)
    image = torch.from_numpy(0.75 + 0.05 * rng.random((3, 24, 32)))
    mask = torch.zeros(24, 32, dtype=torch.long)
    y, x = torch.meshgrid(torch.arange(24), torch.arange(32), indexing="ij")
    wheel, house = (y - 14.5) ** 2 + (x - 8.5) ** 2 < 36, (x >= 19) & (x < 28) & (y >= 5) & (y < 12) & (x - 19 >= 11 - y)
    mask[wheel], mask[house] = 1, 2
    for cls, color in ((1, (0.1, 0.55, 0.35)), (2, (0.15, 0.35, 0.7))):
        image[:, mask == cls] = torch.tensor(color, dtype=F64)[:, None]
    boxes = []
    for cls in (1, 2):
        rows, columns = torch.nonzero(mask == cls, as_tuple=True)
        boxes.append([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
    return image, torch.tensor(boxes, dtype=F64), mask


@figure("augment", caption="Above: the image and its boxes. Below: the mask, with what doesn't count in gray. Does each box hold what is left of its object?")
def augment_figure(student):
    fig, axes = subplots(2, 4, size=(12, 5.2))
    image, boxes, mask = street()
    window = {"top": 6, "left": 4, "height": 16, "width": 20, "ignore": -1}
    beyond = {"top": -5, "left": 12, "height": 24, "width": 26, "ignore": -1}
    views = {
        "as it is": lambda: (image, boxes, mask),
        "flip": lambda: student.flip(image, boxes, mask),
        "crop inside": lambda: student.crop(image, boxes, mask, **window)[:3],
        "crop beyond the edges": lambda: student.crop(image, boxes, mask, **beyond)[:3],
    }
    palette = np.array([[0.6, 0.6, 0.6], [1, 1, 1], [0.4, 0.75, 0.6], [0.3, 0.5, 0.8]])
    for (above, below), (title, view) in zip(axes.T, views.items(), strict=True):
        with if_written(above):
            shown, corners, classes = view()
            above.imshow(shown.permute(1, 2, 0))
            below.imshow(palette[classes + 1])
            for ax in (above, below):
                for box in corners:
                    outline(ax, box, "red")
        bare(above, title)
        bare(below)
    return fig


@figure("pasted", caption="Left: three images with a pasted box of whole pixels, and their labels. Right: what 4,000 boxes cover, less what they aimed at.")
def pasted_figure(student):
    fig, axes = subplots(1, 4, size=(12, 3.5), width_ratios=(1, 1, 1, 1.9))
    images = torch.cat([digit(3), 1 - digit(8)])
    labels, order = torch.eye(2, dtype=F64), torch.tensor([1, 0])
    with if_written(axes[0]):
        for ax, center in zip(axes, ((6, 6), (2, 10), (11, 0)), strict=False):
            mixed, mixed_labels = student.cutmix(images, labels, order, 0.5, center)
            ax.imshow(mixed[0, 0], **GRAY)
            a = int(12 * 0.5**0.5 / 2)
            outline(ax, (max(center[1] - a, 0), max(center[0] - a, 0), min(center[1] + a, 12), min(center[0] + a, 12)), "red")
            bare(ax, f"label {mixed_labels[0, 0]:.2f}, {mixed_labels[0, 1]:.2f}")
            ax.set(xlabel="aimed at 0.50, 0.50")
    with if_written(axes[3]):
        rng, black = np.random.default_rng(0), torch.zeros(2, 1, 64, 64)
        lam, centers = rng.random(4000), rng.integers(0, 64, (4000, 2))
        missed = [
            float(student.cutmix(black, labels, order, x, tuple(map(int, center)))[1][0, 1]) - (1 - x)
            for x, center in zip(lam, centers, strict=True)
        ]
        axes[3].hist(missed, bins=40, color=COLORS["blue"])
        axes[3].axvline(np.mean(missed), color=COLORS["red"], ls="--")
        axes[3].annotate(f"mean −{-np.mean(missed):.2f}", (np.mean(missed), 0.85), xycoords=("data", "axes fraction"),
                         xytext=(-6, 0), textcoords="offset points", ha="right", color=COLORS["red"])  # fmt: skip
    axes[3].set(title="Images of 64 × 64", xlabel="pasted share − (1 − λ)", ylabel="boxes")
    return fig


def newton_and_descent(student, n_steps=12, l2=0.01):
    """The loss of a probe that tells drawn threes from eights by their pixels, after each step of two methods."""
    images, labels = digits(600, noise=0.08)
    chosen = (labels == 3) | (labels == 8)
    features = torch.from_numpy(images[chosen].reshape(int(chosen.sum()), -1)).double()
    features = torch.cat([features - features.mean(0), torch.ones(len(features), 1, dtype=F64)], dim=1)
    truth = torch.from_numpy((labels[chosen] == 8).astype(float))

    def loss(w):
        signs = 1 - 2 * truth
        return torch.nn.functional.softplus(signs * (features @ w)).mean() + l2 / 2 * (w @ w)

    def descend(w):
        w = w.clone().requires_grad_()
        (slope,) = torch.autograd.grad(loss(w), w)
        return (w - 0.5 * slope).detach()

    paths = {}
    for name, step in (("gradient descent", descend), ("Newton", lambda w: student.probe_step(w, features, truth, l2=l2))):
        w, paths[name] = torch.zeros(features.shape[1], dtype=F64), []
        for _ in range(n_steps + 1):
            paths[name].append(float(loss(w)))
            w = step(w)
    return paths


@figure("probe", caption="A linear probe on the pixels of drawn threes and eights: the loss above its minimum, after each step.")
def probe_figure(student):
    fig, ax = subplots(size=(7.5, 4.0))
    with if_written(ax):
        paths = newton_and_descent(student)
        best = min(paths["Newton"])
        for (name, path), color, mark in zip(paths.items(), ("blue", "red"), ("o", "s"), strict=True):
            ax.semilogy(np.maximum(np.array(path) - best, 1e-16), color=COLORS[color], marker=mark, ms=4, label=name)
        ax.legend(loc="center right")
    ax.set(title="Two ways to the same minimum", xlabel="step", ylabel="loss − its minimum")
    return fig


def planted(n_blocks=3, rows=4, columns=4):
    """Attention in which CLS looks at one patch at last, and that patch had looked at another one before."""
    T = 1 + rows * columns
    blocks = torch.full((n_blocks, 1, 2, T, T), 0.3 / T, dtype=F64)
    stay = torch.eye(T, dtype=F64)
    blocks += 0.7 * stay
    bright, source = 1 + 5, 1 + 11
    for t, s, block in ((bright, source, 0), (bright, source, 1), (0, bright, 2)):
        blocks[block, 0, :, t] = 0.3 / T
        blocks[block, 0, :, t, s] += 0.7
    return blocks


@figure("rollout", caption="One scale for all three. Left and middle: the same network. Right: 12 blocks with random scores.")
def rollout_figure(student):
    fig, axes = subplots(1, 3, size=(11, 3.7))
    scores = torch.randn(12, 1, 4, 17, 17, generator=torch.Generator().manual_seed(0), dtype=F64)
    looks = planted()
    last = looks[-1, 0].mean(0)[0, 1:].reshape(4, 4)
    shown = axes[0].imshow(last / last.sum(), vmin=0, vmax=0.5)
    with if_written(axes[1]):
        axes[1].imshow(student.cls_map(student.rollout(looks), 4, 4)[0], vmin=0, vmax=0.5)
    with if_written(axes[2]):
        axes[2].imshow(student.cls_map(student.rollout(scores.softmax(-1)), 4, 4)[0], vmin=0, vmax=0.5)
    fig.colorbar(shown, ax=axes, label="share", shrink=0.8)
    for ax, title in zip(axes, ("last block only", "rollout", "rollout, untrained"), strict=True):
        bare(ax, title)
    return fig


def climb(student, start=(20.0, 0.0, 30.0, 10.0), n_steps=140, rate=20.0):
    """The boxes of a climb on GIoU, from the start to the target (0, 0, 10, 10). After 80 steps, the rate falls."""
    target, box, path = torch.tensor([[0.0, 0, 10, 10]], dtype=F64), torch.tensor([start], dtype=F64), []
    for at in range(n_steps + 1):
        path.append(box[0].detach())
        box = box.detach().requires_grad_()
        score = student.giou(box, target)
        (slope,) = torch.autograd.grad(score.sum(), box)
        box = box + rate * 0.93 ** max(at - 80, 0) * slope
    return torch.stack(path)


@figure("climb", caption="Left: the box of the question climbs on GIoU from red to blue, with a falling rate; the target is black. Right: both scores as a box slides away.")
def climb_figure(student):
    fig, (left, right) = subplots(1, 2, size=(11, 4.3))
    with if_written(left):
        path = climb(student)
        for at in range(0, len(path), 10):
            x1, y1, x2, y2 = path[at].tolist()
            mix = at / (len(path) - 1)
            color = (0.85 * (1 - mix), 0.25, 0.15 + 0.65 * mix)
            left.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=color, lw=1.3))
    left.add_patch(Rectangle((0, 0), 10, 10, fill=False, ec=COLORS["black"], lw=2.5, ls="--"))
    left.set(title="140 steps up", xlim=(-3, 36), ylim=(20, -3), aspect="equal", xlabel="x", ylabel="y")
    shift = torch.linspace(0, 30, 121, dtype=F64)
    target = torch.tensor([[0.0, 0, 10, 10]], dtype=F64)
    moved = torch.stack([shift, 0 * shift, shift + 10, 0 * shift + 10], dim=1)
    with if_written(right):
        right.plot(shift, student.iou(moved, target)[:, 0], color=COLORS["blue"], label="IoU")
        with if_written():  # the left half says so
            right.plot(shift, student.giou(moved, target.expand_as(moved)), "--", color=COLORS["red"], label="GIoU")
    right.set(title="A box slides to the right", xlabel="shift (the box has side 10)", ylabel="score", ylim=(-1.05, 1.05))
    name_lines(right)
    return fig


@figure("dice", caption="Dice against IoU. The marks are two models on two images each (the first scores both alike); hollow marks are their means.")
def dice_figure(student):
    fig, ax = subplots(size=(6.2, 4.6))
    grid = torch.linspace(0, 1, 101, dtype=F64)
    ax.plot([0, 1], [0, 1], ":", color=COLORS["grey"])
    with if_written(ax):
        ax.plot(grid, student.dice_from_iou(grid), color=COLORS["black"])
        for name, scores, color, mark in (("first model", (0.5, 0.5), "blue", "o"), ("second model", (0.9, 0.15), "red", "s")):
            scores = torch.tensor(scores, dtype=F64)
            dice = student.dice_from_iou(scores)
            ax.plot(scores, dice, mark, color=COLORS[color], label=name)
            ax.plot(scores.mean(), dice.mean(), mark, color=COLORS[color], mfc="white", ms=9, mew=1.8)
        ax.legend(loc="lower right")
    ax.set(title="Two scores of the same masks", xlabel="IoU", ylabel="Dice", xlim=(0, 1), ylim=(0, 1.02))
    return fig


if __name__ == "__main__":
    main("vit")
