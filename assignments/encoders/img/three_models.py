"""Draws three_models.svg, the picture at the top of the handout: `python three_models.py [PNG]`."""

import sys
from pathlib import Path

import numpy as np
from coursekit.plots import COLORS, style
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

CELL = 2.1


def grid(ax, left, top, mask, color):
    """Squares, filled where the row's token may see the column's."""
    for (i, j), seen in np.ndenumerate(mask):
        face = COLORS[color] if seen else "white"
        place = (left + CELL * j, top - CELL * (i + 1))
        ax.add_patch(Rectangle(place, CELL, CELL, facecolor=face, alpha=0.75 if seen else 1, edgecolor="#BBBBBB", linewidth=0.8))


def words(ax, left, top, names, *, down=None):
    """Names of the columns above a grid, and of its rows on the left of it."""
    for j, name in enumerate(names):
        ax.text(left + CELL * (j + 0.5), top + 0.5, name, ha="center", va="bottom", size=9)
    for i, name in enumerate(names if down is None else down):
        ax.text(left - 0.5, top - CELL * (i + 0.5), name, ha="right", va="center", size=9)


def draw():
    fig = Figure(figsize=(11.4, 3.1))
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 114), ylim=(4.5, 35.5))
    ax.axis("off")
    ax.grid(False)
    full, past = np.ones((5, 5), bool), np.tri(5, dtype=bool)

    for left, title, mask, color, about in (
        (5, "Encoder (BERT)", full, "blue", ("fills blanks: every token", "sees the whole text")),
        (30, "Decoder (GPT)", past, "orange", ("writes: a token sees", "what came before")),
    ):
        ax.text(left - 2, 33, title, size=12.5, weight="bold")
        words(ax, left, 27, "abcde")
        grid(ax, left, 27, mask, color)
        ax.text(left - 2, 12.2, about[0])
        ax.text(left - 2, 9.4, about[1])

    left = 62
    ax.text(left - 2, 33, "Encoder and decoder (T5)", size=12.5, weight="bold")
    words(ax, left, 27, "abcde")
    grid(ax, left, 27, full, "blue")
    ax.text(left - 2, 12.2, "the encoder reads, the decoder writes:")
    ax.text(left - 2, 9.4, "each of its tokens sees the tokens before it,")
    ax.text(left - 2, 6.6, "and the whole source by cross-attention")
    words(ax, left + 19, 25, "abcde", down="xyz")
    grid(ax, left + 19, 25, np.ones((3, 5), bool), "green")
    words(ax, left + 36, 25, "xyz")
    grid(ax, left + 36, 25, np.tri(3, dtype=bool), "orange")
    ax.text(left + 19 + 2.5 * CELL, 28.9, "source", ha="center", color=COLORS["grey"], size=10)
    ax.text(left + 36 + 1.5 * CELL, 28.9, "written", ha="center", color=COLORS["grey"], size=10)
    ends = (left + 5 * CELL + 0.8, 21.8), (left + 17.2, 21.8)
    ax.add_patch(FancyArrowPatch(*ends, arrowstyle="->", mutation_scale=12, color=COLORS["grey"]))
    ax.text(3, 5.6, "Rows look, columns are seen, filled means: may be seen.", color=COLORS["grey"], size=10)
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
        fig.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if len(sys.argv) > 1:  # a PNG to look at
            fig.savefig(sys.argv[1])
