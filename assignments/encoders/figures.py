"""Draws who sees whom and what corruption does to a text, from your own code. Run: python figures.py

A figure whose task isn't written yet is skipped, and so is a part of a figure.
"""

import itertools
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.chance import luck
from coursekit.drawing import figure, if_written, main
from coursekit.plots import COLORS, subplots

T = 9
WORDS = "MIT was founded in 1861 and moved to Cambridge in 1916".split()
CITIES = ["New", "York", "Los", "Angeles"]


def grid(ax, mask, color="blue"):
    """A mask as squares: filled where the row's token may see the column's."""
    shade = np.array([int(COLORS[color][i : i + 2], 16) for i in (1, 3, 5)]) / 255
    ax.imshow(1 - np.asarray(mask)[..., None] * (1 - shade), vmin=0, vmax=1)
    ax.set_xticks(np.arange(-0.5, mask.shape[1]), [])
    ax.set_yticks(np.arange(-0.5, mask.shape[0]), [])
    ax.tick_params(length=0)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)


def six_masks(student):
    """Masks of nine tokens by name, each made when it is asked for."""
    token = torch.arange(T)
    back = token[:, None] - token

    def detour():
        mask = student.visible("causal", T)
        mask[T - 1, 2] = False
        return mask

    def shared():
        texts = torch.tensor([0, 1, 1, 1, 1, 2, 2, 2, 2])
        mask = student.visible("bidirectional", T, segments=texts)
        mask[0] = mask[:, 0] = True
        return mask

    return {
        "bidirectional": lambda: student.visible("bidirectional", T),
        "prompt of 4": lambda: student.visible("prefix", T, prefix=4),
        "causal": lambda: student.visible("causal", T),
        "causal, last 3": lambda: student.visible("causal", T) & (back < 3),
        "causal, one hidden": detour,
        "2 texts, 1 [CLS]": shared,
    }


@figure(
    "masks",
    caption="Rows are tokens that look, columns tokens that are seen. Above the mask of one layer, below what several reach.",
)
def masks(student):
    fig, axes = subplots(3, 6, size=(13, 7))
    for column, (title, make) in zip(axes.T, six_masks(student).items(), strict=True):
        column[0].set_title(title, size=11)
        for ax, n_layers, color in zip(column, (0, 2, 4), ("blue", "orange", "green"), strict=True):
            with if_written(ax):
                mask = make()
                grid(ax, student.reachable([mask] * n_layers) if n_layers else mask, color)
    for ax, label in zip(axes[:, 0], ("the mask", "reach of 2 layers", "reach of 4 layers"), strict=True):
        ax.set_ylabel(label)
    return fig


def two_cities():
    """All texts of two words, and the language that knows two of them; 0 is the mask."""
    return list(itertools.product(range(1, 5), repeat=2)), {(1, 2): 0.5, (3, 4): 0.5}


@figure(
    "fills",
    caption="All texts of two words. Blue: what the perfect masked model writes if it fills both blanks at once. Orange: "
    "the score that it gives each text.",
)
def fills(student):
    texts, language = two_cities()
    model = student.perfect_model(language, n_vocab=5, mask_token=0)
    once = model(torch.zeros(1, 2, dtype=torch.int64))[0].exp()
    fig, axes = subplots(2, 1, size=(11, 5.4), sharex=True, sharey=True)
    place = np.arange(len(texts))
    axes[0].bar(place, [float(once[0, a] * once[1, b]) for a, b in texts], color=COLORS["blue"])
    axes[0].set_title("Filled at once: P(text)")
    with if_written(axes[1]):
        scores = [float(student.pseudo_log_likelihood(model, torch.tensor(text), mask_token=0).exp()) for text in texts]
        axes[1].bar(place, scores, color=COLORS["orange"])
    axes[1].set_title("exp(pseudo-log-likelihood)")
    names = [f"{CITIES[a - 1]}\n{CITIES[b - 1]}" for a, b in texts]
    axes[1].set_xticks(place, names, size=9)
    for ax in axes:
        ax.grid(axis="x", visible=False)
        ax.set_ylim(0, 1.05)
    return fig


def row_of_words(ax, y, words, marked, color, *, room=None):
    """Words in boxes, from left to right, those that are marked in color; `room` are words as wide as the places."""
    x, words = 0.0, list(words)
    for word, place, mark in zip(words, words if room is None else room, marked, strict=True):
        width = 0.35 + 0.135 * len(place)
        shade = COLORS[color] if mark else "white"
        ax.text(
            x + width / 2, y, word, ha="center", va="center", size=10, color="white" if mark else COLORS["black"],
            bbox={"boxstyle": "round,pad=0.25", "facecolor": shade, "edgecolor": "#BBBBBB", "linewidth": 0.8},
        )  # fmt: skip
        x += width


@figure(
    "objectives",
    caption="One sentence, corrupted in both ways. Blue: what the corruption put there. Orange: what BERT is asked for, and "
    "what T5 writes between its words.",
)
def objectives(student):
    draw, flip = luck(13)
    mask_token, n_vocab = len(WORDS), 100
    names = [*WORDS, "[MASK]"]

    def name(token):
        return names[token] if token < len(names) else f"<{n_vocab - 1 - token}>" if token < n_vocab else "eos"

    tokens = list(range(len(WORDS)))
    fig, axes = subplots(2, 1, size=(11.5, 4.2))
    for ax, title in zip(axes, ("BERT: mlm_corrupt, share 0.4", "T5: random_spans and span_corrupt, density 0.4"), strict=True):
        ax.set(title=title, xlim=(-1.3, 13), ylim=(-0.6, 1.6), xticks=[], yticks=[])
        ax.grid(False)
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
    with if_written(axes[0]):
        words = {"special": set(), "mask_token": mask_token, "n_vocab": mask_token}
        text, labels = student.mlm_corrupt(tokens, **words, share=0.4, draw=draw, flip=flip)
        axes[0].text(-1.3, 1, "input", va="center", weight="bold")
        axes[0].text(-1.3, 0, "labels", va="center", weight="bold")
        room = [max(name(a), WORDS[b], key=len) for a, b in zip(text, tokens, strict=True)]
        changed = [a != b for a, b in zip(text, tokens, strict=True)]
        row_of_words(axes[0], 1, map(name, text), changed, "blue", room=room)
        asked = [label >= 0 for label in labels]
        row_of_words(axes[0], 0, ["–" if label < 0 else name(label) for label in labels], asked, "orange", room=room)
    with if_written(axes[1]):
        hidden = student.random_spans(len(tokens), density=0.4, mean_span=2.0, draw=draw)
        source, target = student.span_corrupt(tokens, hidden, n_vocab=n_vocab, eos=n_vocab)
        axes[1].text(-1.3, 1, "input", va="center", weight="bold")
        axes[1].text(-1.3, 0, "target", va="center", weight="bold")
        row_of_words(axes[1], 1, map(name, source), [token >= len(names) for token in source], "blue")
        row_of_words(axes[1], 0, map(name, target), [token >= len(names) for token in target], "orange")
    return fig


@figure(
    "spans",
    caption="How often each place of a text is hidden, in 4,000 draws. Dashed: what it would be if all places were alike.",
)
def spans(student):
    draw, _ = luck(0)
    fig, axes = subplots(1, 2, size=(11.5, 3.8), sharey=True)
    for ax, length in zip(axes, (20, 50), strict=True):
        drawn = np.array([student.random_spans(length, draw=draw) for _ in range(4000)])
        ax.bar(np.arange(length), drawn.mean(0), width=0.9, color=COLORS["blue"])
        ax.axhline(drawn.mean(), color=COLORS["red"], linestyle="--")
        ax.grid(axis="x", visible=False)
        ax.set(title=f"{length} tokens", xlabel="place in the text", ylim=(0, 1.05), xticks=range(0, length, 5))
    axes[0].set_ylabel("share of draws that hide it")
    return fig


def text_lengths():
    """How many tokens 1,000 texts have: many short ones, and a few that fill a row of 512."""
    return np.minimum(np.ceil(np.random.default_rng(0).lognormal(4, 1, 1000)).astype(int), 512)


@figure(
    "packing",
    caption="Left: who sees whom in a packed row, a color for each text. Right: the share of all places that holds padding.",
)
def packing(student):
    fig, (left, right) = subplots(1, 2, size=(11.5, 4.2), width_ratios=[1, 1.3])
    with if_written(left):
        packed = student.pack([[5] * n for n in (4, 3, 6, 2)], length=16, eos=1, pad=0)
        segments = packed["segments"][:1]
        mask = student.visible("causal", 16, segments=segments)[0]
        image = np.ones((16, 16, 3))
        for number, color in enumerate(("blue", "orange", "green", "purple"), start=1):
            shade = [int(COLORS[color][i : i + 2], 16) / 255 for i in (1, 3, 5)]
            image[(mask & (segments[0] == number)).numpy()] = shade
        left.imshow(image)
        left.set(xticks=np.arange(-0.5, 16), yticks=np.arange(-0.5, 16), xticklabels=[], yticklabels=[])
        left.tick_params(length=0)
    left.set(title="A packed row of 16", xlabel="token that is seen", ylabel="token that looks")
    lengths = text_lengths()
    waste = {
        "padded to 512": 1 - lengths.sum() / (512 * len(lengths)),
        "padded to the longest of 32": 1 - lengths[:992].sum() / (32 * lengths[:992].reshape(-1, 32).max(1).sum()),
    }
    with if_written(right):
        rows = student.pack([[5] * n for n in lengths], length=512, eos=1, pad=0)["tokens"]
        waste["packed into rows of 512"] = float((rows == 0).double().mean())
    right.barh(list(waste)[::-1], list(waste.values())[::-1], color=COLORS["blue"])
    for y, share in enumerate(list(waste.values())[::-1]):
        right.text(share + 0.01, y, f"{share:.1%}", va="center")
    right.grid(axis="y", visible=False)
    right.set(title="1,000 texts: what is padding", xlim=(0, 1), xlabel="share of all places")
    return fig


if __name__ == "__main__":
    main("encoders")
