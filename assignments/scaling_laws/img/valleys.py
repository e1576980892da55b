"""Draws valleys.svg, the picture at the top of the handout: `python valleys.py`."""

import sys
from pathlib import Path

import numpy as np
from coursekit.plots import COLORS, style
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle


def draw():
    fig = Figure(figsize=(8.6, 3.1))
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 86), ylim=(0, 31))
    ax.axis("off")
    ax.grid(False)
    arrow = {"arrowstyle": "->", "color": COLORS["grey"], "linewidth": 1.6}
    for middle, title in ((12, "count"), (42, "fit"), (73, "extend")):
        ax.text(middle, 28.5, title, ha="center", va="center", weight="bold")
    for left in (23.5, 55.5):
        ax.annotate("", (left + 3.6, 15), (left, 15), arrowprops=arrow)

    # a stack of blocks, and what it costs
    for k in range(4):
        ax.add_patch(Rectangle((2.5, 7 + 4.2 * k), 6.5, 3.2, facecolor=COLORS["blue"], alpha=0.25, edgecolor=COLORS["blue"]))
    for y, name, color in ((21, "parameters", "blue"), (15, "operations", "orange"), (9, "bytes", "green")):
        ax.text(11.5, y, name, va="center", color=COLORS[color])
    ax.text(12, 2.2, "before it is built", ha="center", size=10)

    # valleys, one for each budget
    ax.plot([30, 30, 54], [26, 5, 5], color=COLORS["grey"], linewidth=1, linestyle="-")
    lowest = []
    for k, color in enumerate(("blue", "orange", "green")):
        x0, y0 = 36 + 5 * k, 17.5 - 4.2 * k
        x = np.linspace(x0 - 4.5, x0 + 4.5, 40)
        ax.plot(x, y0 + 0.28 * (x - x0) ** 2, color=COLORS[color], linewidth=1.6, linestyle="-")
        points = np.linspace(x0 - 4.2, x0 + 4.2, 5)
        ax.plot(points, y0 + 0.28 * (points - x0) ** 2, "o", color=COLORS[color], markersize=4, linestyle="none")
        ax.plot(x0, y0 - 0.9, "^", color=COLORS["black"], markersize=6)
        lowest.append((x0, y0))
    ax.text(29, 15.5, "loss", rotation=90, ha="right", va="center", size=10)
    ax.text(42, 2.2, "model size, one curve per budget", ha="center", size=10)

    # the line through the lowest points
    ax.plot([62, 62, 84.5], [26, 5, 5], color=COLORS["grey"], linewidth=1, linestyle="-")
    ax.plot([64.5, 67, 69.5], [8.2, 10, 11.8], "^", color=COLORS["black"], markersize=6)
    ax.plot([64.5, 69.5], [8.2, 11.8], color=COLORS["black"], linewidth=1.4, linestyle="-")
    ax.plot([69.5, 80], [11.8, 19.36], "--", color=COLORS["black"], linewidth=1.4)
    ax.text(82, 20.8, "?", ha="center", va="center", size=20, weight="bold", color=COLORS["red"])
    ax.text(61, 15.5, "best size", rotation=90, ha="right", va="center", size=10)
    ax.text(73, 2.2, "budget", ha="center", size=10)
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
        fig.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if len(sys.argv) > 1:  # a PNG to look at
            fig.savefig(sys.argv[1])
