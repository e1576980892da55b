"""Draws what your sampling does, from your own code. Run: python figures.py

What needs a task that isn't written yet is left out. `repetition` writes some texts, which takes a few seconds.
"""

import math
import sys
import textwrap
from pathlib import Path

import numpy as np
import torch

sys.path.append(str(Path(__file__).resolve().parent.parent))  # coursekit lies beside this folder

from coursekit.data import languages
from coursekit.drawing import figure, main
from coursekit.plots import COLORS, subplots

SURE = [0.74, 0.09, 0.05, 0.04, 0.03, 0.02, 0.01, 0.01, 0.005, 0.005]
UNSURE = [0.16, 0.15, 0.13, 0.12, 0.11, 0.10, 0.09, 0.07, 0.04, 0.03]


@figure("filters", caption="Gray: before. Blue: after. Crosses: ruled out.")
def filters(student):
    columns = {
        "the model": lambda logits: torch.log_softmax(logits, dim=-1),
        "T = 0.5": lambda logits: student.apply_temperature(logits, 0.5),
        "T = 2": lambda logits: student.apply_temperature(logits, 2.0),
        "top-k, k = 3": lambda logits: student.keep_top_k(logits, 3),
        "top-p, p = 0.8": lambda logits: student.keep_top_p(logits, 0.8),
        "min-p = 0.1": lambda logits: student.keep_min_p(logits, 0.1),
    }
    missing = []
    for title, change in list(columns.items()):
        try:
            change(torch.zeros(2))
        except NotImplementedError as error:
            missing.append(f"{title}, {error}")
            del columns[title]
    if missing:
        print("filters: without " + "; without ".join(missing))
    fig, axes = subplots(2, len(columns), size=(2.3 * len(columns) + 0.2, 4.6), sharey=True, squeeze=False)
    before = None
    for row, (name, probabilities) in zip(axes, {"sure": SURE, "unsure": UNSURE}.items(), strict=True):
        logits = torch.tensor(probabilities, dtype=torch.float64).log()
        for ax, (title, change) in zip(row, columns.items(), strict=True):
            after = change(logits).exp()
            places = np.arange(len(after))
            bars = ax.bar(places, after, color=COLORS["blue"], width=0.75)
            if title != "the model":
                edges = np.arange(len(after) + 1) - 0.5
                before = ax.stairs(probabilities, edges, color=COLORS["grey"], linewidth=1.2)
            gone = places[after.numpy() == 0]
            heights = np.array(probabilities)[gone] + 0.05  # above the line
            (crosses,) = ax.plot(gone, heights, "x", color=COLORS["red"], markersize=5)
            ax.set(xticks=[], ylim=(0, 1.05))
            ax.grid(axis="x", visible=False)
        row[0].set_ylabel(f"a model that is {name}\nprobability")
    for ax, title in zip(axes[0], columns, strict=True):
        ax.set_title(title)
    axes[1][0].set_xlabel("token, by rank")
    if before is not None:
        axes[1][0].legend([bars, before, crosses], ["after", "before", "ruled out"], loc="upper right")
    return fig


def english():
    """The English text as ids of its characters, and the characters."""
    text = languages()["English"].lower().replace("\n", " ")
    characters = sorted(set(text))
    return [characters.index(c) for c in text], characters


WIDTH, N_TEXTS, LENGTH = 6, 5, 180


@figure("repetition", caption="Characters from a 5-gram model: what it repeats, and what it says, at each temperature.")
def repetition(student):
    """Characters from an interpolated 5-gram model, with the share of 6-character stretches seen before."""
    text, characters = english()
    orders = [student.ngram_counts([text], n) for n in range(1, 6)]

    def next_logits(tokens):
        return student.interpolated_log_probs(orders, tokens, vocab_size=len(characters), weight=0.8)

    def repeated(tokens):
        stretches = [tuple(tokens[i : i + WIDTH]) for i in range(len(tokens) - WIDTH + 1)]
        return 1 - len(set(stretches)) / len(stretches)

    def write(u, **settings):
        return student.generate(next_logits, text[:4], u, max_new_tokens=LENGTH, **settings)

    temperatures = [0.0, 0.2, 0.5, 0.8, 1.2, 1.6]
    uniforms = np.random.default_rng(1).random((N_TEXTS, LENGTH))
    fig, (left, right) = subplots(1, 2, size=(13.5, 4.4), width_ratios=[1, 1.5])
    samples = {}
    for name, settings in {"all tokens": {}, "top-p, p = 0.8": {"top_p": 0.8}}.items():
        shares = []
        try:
            for temperature in temperatures:
                texts = [write(u, temperature=temperature, **settings) for u in uniforms]
                shares.append(np.mean([repeated(tokens) for tokens in texts]))
                samples[name, temperature] = "".join(characters[token] for token in texts[0])
        except NotImplementedError as error:
            if not samples:
                raise
            print(f"repetition: without {name}, {error}")
            continue
        left.plot(temperatures, shares, marker="o", label=name)
    share = repeated(text[: LENGTH + 4])
    left.axhline(share, color=COLORS["grey"], linestyle=":", label="training text of the same length")
    left.set(title="Repetition", xlabel="temperature T", ylabel=f"{WIDTH}-character stretches seen before")
    left.set_ylim(-0.03, 1.03)
    left.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0%", "25%", "50%", "75%", "100%"])
    left.legend()
    right.axis("off")
    right.set(title="What it writes", xlim=(0, 1), ylim=(0, 1))
    for i, temperature in enumerate([0.0, 0.5, 0.8, 1.2, 1.6]):
        sample = samples["all tokens", temperature]
        lines = textwrap.wrap(sample, 98)
        right.text(0, 0.97 - 0.2 * i, f"T = {temperature}", weight="bold", size=9.5, va="top")
        right.text(0, 0.90 - 0.2 * i, "\n".join(lines), family="DejaVu Sans Mono", size=8.5, va="top")
    return fig


@figure("ngrams", caption="One text, counted on its first two thirds: how well each order predicts.")
def ngrams(student):
    """Perplexity on the first two thirds of a text, where the counts are from, and on the rest."""
    text, characters = english()
    V, cut = len(characters), 2 * len(text) // 3
    known, new = text[:cut], text[cut:]
    orders = list(range(1, 7))
    counts = [student.ngram_counts([known], n) for n in orders]

    def perplexity(model, tokens):
        return student.perplexity(student.token_log_probs(model, tokens, start=6))

    def additive(n, alpha):
        return lambda tokens: student.ngram_log_probs(counts[n - 1], tokens, n=n, vocab_size=V, alpha=alpha)

    def interpolated(n):
        return lambda tokens: student.interpolated_log_probs(counts[:n], tokens, vocab_size=V, weight=0.7)

    curves = {
        "the text it was counted on, unsmoothed": lambda n: math.exp(student.conditional_entropy(counts[n - 1])),
        "new text, interpolated": lambda n: perplexity(interpolated(n), new),
        "new text, 0.1 added": lambda n: perplexity(additive(n, 0.1), new),
    }
    fig, ax = subplots(size=(8, 4.6))
    for (name, value), marker in zip(curves.items(), "os^", strict=True):
        try:
            ax.plot(orders, [value(n) for n in orders], marker=marker, label=name)
        except NotImplementedError as error:
            print(f"ngrams: without {name}, {error}")
    ax.axhline(V, color=COLORS["grey"], linestyle="--", label=f"V = {V}: the uniform model")
    ax.set(title="Shannon's model", xlabel="order n", ylabel="perplexity per character", ylim=(0, 38))
    ax.legend(loc="upper center", ncols=2)
    return fig


if __name__ == "__main__":
    main("sampling")
