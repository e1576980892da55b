"""Draws split.svg, the picture at the top of the handout: `python split.py`."""

import sys
from pathlib import Path

import numpy as np
from coursekit.plots import COLORS, style
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

SCORES = np.array([0.3, 0.65, 0.9, 1.4, 1.8, 2.25, 2.7, 3.4, 4.5])
K = 8  # of nine scores, for alpha = 0.2


def draw():
    fig = Figure(figsize=(8.4, 2.9))
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 84), ylim=(0, 29))
    ax.axis("off")
    ax.grid(False)
    parts = (("train", 2, 26, "blue"), ("calibrate", 29, 30, "orange"), ("new", 60, 22, "green"))
    for name, left, width, color in parts:
        ax.add_patch(Rectangle((left, 24), width, 3.6, facecolor=COLORS[color], alpha=0.3, linewidth=0))
        middle = left + width / 2
        ax.text(middle, 25.7, name, ha="center", va="center", weight="bold")
        arrow = {"arrowstyle": "->", "color": COLORS["grey"]}
        ax.annotate("", (middle, 20.5), (middle, 23.7), arrowprops=arrow)

    x = np.linspace(4, 26, 12)
    wobble = np.array([0.6, -0.8, 0.9, 0.2, -1.1, 1.2, -0.4, 0.7, -1.0, 0.5, -0.6, 0.4])
    ax.plot(x, 9 + 0.38 * x, color=COLORS["blue"], linestyle="-")
    ax.plot(x, 9 + 0.38 * x + wobble, "o", color=COLORS["black"], markersize=4)
    ax.text(15, 5, "fit any model", ha="center")

    at = 30 + 5.6 * SCORES
    up_to_q = Rectangle((30, 12.6), at[K - 1] - 30, 2.8, facecolor=COLORS["orange"], alpha=0.3, linewidth=0)
    ax.add_patch(up_to_q)
    ax.plot([30, 59], [14, 14], color=COLORS["grey"], linewidth=1, linestyle="-")
    ax.plot(at, np.full(9, 14.0), "o", color=COLORS["black"], markersize=5)
    ax.plot(at[K - 1], 14, "o", color=COLORS["red"], markersize=8)
    ax.text(at[K - 1], 16.6, "q (α = 0.2)", ha="center", color=COLORS["red"], weight="bold")
    ax.text(59, 10.3, "score", ha="right", color=COLORS["grey"], size=10)
    ax.text(44.5, 5, "sort nine scores,", ha="center")
    ax.text(44.5, 2.2, "take one as q", ha="center")

    ax.plot([64, 78], [14, 14], color=COLORS["green"], linewidth=4, linestyle="-")
    for end in (64, 78):
        ax.plot([end, end], [12.8, 15.2], color=COLORS["green"], linewidth=3, linestyle="-")
    ax.plot(71, 14, "o", color=COLORS["black"], markersize=7)
    for place, text in ((67, "− q"), (71, "ŷ"), (75, "+ q")):
        ax.text(place, 16.6, text, ha="center")
    ax.text(71, 5, "covers y", ha="center")
    ax.text(71, 2.2, "how often?", ha="center")
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
        fig.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if len(sys.argv) > 1:  # a PNG to look at
            fig.savefig(sys.argv[1])
