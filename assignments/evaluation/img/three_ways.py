"""Draws three_ways.svg, the picture at the top of the handout: `python three_ways.py`."""

import sys
from pathlib import Path

from coursekit.plots import COLORS, style
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

CANDIDATE, REFERENCE = "on the mat sat a cat".split(), "a cat sat on the mat".split()
STEP, TOP, BOTTOM = 3.9, 15.6, 8.2


def words(ax, left, y, text, marked=()):
    """A row of words; those that are marked stand in a colored box."""
    for i, word in enumerate(text):
        box = {"facecolor": COLORS["orange"] if i in marked else "#F2F2F2", "alpha": 0.45 if i in marked else 1.0}
        patch = FancyBboxPatch((left + i * STEP + 0.25, y - 1.1), STEP - 0.5, 2.2, boxstyle="round,pad=0,rounding_size=0.5", linewidth=0, **box)
        ax.add_patch(patch)
        ax.text(left + (i + 0.5) * STEP, y, word, ha="center", va="center", size=10)


def pair(ax, left, y, i, above):
    """A bracket over, or under, words i and i + 1."""
    side = 1 if above else -1
    x0, x1 = left + i * STEP + 0.5, left + (i + 2) * STEP - 0.5
    ax.plot([x0, x0, x1, x1], [y + side * 1.4, y + side * 1.9, y + side * 1.9, y + side * 1.4], color=COLORS["blue"], linestyle="-", linewidth=1.6)


def link(ax, left, i, j, color="green"):
    """A line from word i of the candidate to word j of the reference."""
    ax.plot([left + (i + 0.5) * STEP, left + (j + 0.5) * STEP], [TOP - 1.2, BOTTOM + 1.2], color=COLORS[color], linestyle="-", linewidth=1.6)


def draw():
    fig = Figure(figsize=(11.2, 2.45))
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 112), ylim=(0, 24.5))
    ax.axis("off")
    ax.grid(False)
    lefts = (9, 35, 61)
    for left, title, below in zip(lefts, ("n-grams", "subsequence", "similar words"), ("BLEU, chrF, ROUGE-n", "ROUGE-L, ROUGE-Lsum", "vectors of words")):
        ax.text(left + 3 * STEP, 21.6, title, ha="center", weight="bold", size=12)
        ax.text(left + 3 * STEP, 2.2, below, ha="center", color="#666666", size=10)
    ax.text(8.3, TOP, "candidate", ha="right", va="center", size=10)
    ax.text(8.3, BOTTOM, "reference", ha="right", va="center", size=10)

    for i in (0, 1, 4):
        pair(ax, lefts[0], TOP + (0.9 if i == 1 else 0), i, above=True)
    for j in (0, 3, 4):
        pair(ax, lefts[0], BOTTOM - (0.9 if j == 4 else 0), j, above=False)
    words(ax, lefts[0], TOP, CANDIDATE)
    words(ax, lefts[0], BOTTOM, REFERENCE)

    words(ax, lefts[1], TOP, CANDIDATE, marked=(0, 1, 2))
    words(ax, lefts[1], BOTTOM, REFERENCE, marked=(3, 4, 5))
    for i, j in ((0, 3), (1, 4), (2, 5)):
        link(ax, lefts[1], i, j, "orange")

    words(ax, lefts[2], TOP, ["on", "the", "rug", "sat", "a", "pet"])
    words(ax, lefts[2], BOTTOM, REFERENCE)
    for i, j in ((0, 3), (1, 4), (2, 5), (3, 2), (4, 0), (5, 1)):
        link(ax, lefts[2], i, j)

    left, right = 90, 110
    ax.text(100, 21.6, "how sure?", ha="center", weight="bold", size=12)
    ax.plot([left, right], [11.9, 11.9], color=COLORS["grey"], linestyle="-", linewidth=1)
    ax.plot([95, 106], [11.9, 11.9], color=COLORS["blue"], linestyle="-", linewidth=6, solid_capstyle="butt")
    ax.plot(100, 11.9, "o", color=COLORS["black"], markersize=8)
    ax.text(left, 9, "0", ha="center", size=10)
    ax.text(right, 9, "1", ha="center", size=10)
    ax.text(100, 14.2, "score", ha="center", size=10)
    ax.text(100, 2.2, "200 questions", ha="center", color="#666666", size=10)
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
        fig.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if len(sys.argv) > 1:  # a PNG to look at
            fig.savefig(sys.argv[1])
