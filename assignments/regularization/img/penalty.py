"""Draws penalty.svg, the picture at the top of the handout: `python penalty.py`."""

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
    for middle, title in ((14, "penalize"), (43, "look at each direction"), (72, "judge")):
        ax.text(middle, 28.5, title, ha="center", va="center", weight="bold")
    arrow = {"arrowstyle": "->", "color": COLORS["grey"], "linewidth": 1.6}
    for left in (27.0, 56.0):
        ax.annotate("", (left + 3.6, 15), (left, 15), arrowprops=arrow)

    # one set of points, two curves
    x = np.array([3.0, 6.2, 9.4, 12.6, 15.8, 19.0, 22.2, 25.0])
    y = np.array([9.0, 14.5, 12.6, 19.0, 16.2, 21.6, 18.6, 23.0])
    fine = np.linspace(3.0, 25.0, 200)
    scaled = (x - 14) / 11
    wild = np.polynomial.Polynomial.fit(scaled, y, 7)
    calm = np.polynomial.Polynomial.fit(scaled, y, 1)
    ax.plot(fine, np.clip(wild((fine - 14) / 11), 5, 26.3), color=COLORS["orange"], linewidth=1.5, linestyle="-")
    ax.plot(fine, calm((fine - 14) / 11), color=COLORS["blue"], linewidth=2, linestyle="-")
    ax.plot(x, y, "o", color=COLORS["black"], markersize=5, linestyle="none")
    ax.text(14, 2.2, "one set of points, two fits", ha="center", size=10)

    # bars: directions, of which a share is kept
    for k, height in enumerate((17.0, 11.0, 6.5, 3.2, 1.6)):
        left = 35.5 + 3.6 * k
        ax.add_patch(Rectangle((left, 6), 2.5, height, facecolor="none", edgecolor=COLORS["grey"]))
        ax.text(left + 1.25, 6 + height + 1.4, "?", ha="center", va="center", color=COLORS["red"], weight="bold")
    ax.plot([34.5, 53.5], [6, 6], color=COLORS["grey"], linewidth=1, linestyle="-")
    ax.text(43.5, 2.2, "how much of each is kept?", ha="center", size=10)

    # five folds, one held out in turn
    for row in range(5):
        for k in range(5):
            held_out = k == row
            look = {"facecolor": COLORS["orange"] if held_out else COLORS["blue"], "alpha": 0.85 if held_out else 0.2}
            ax.add_patch(Rectangle((62 + 4.2 * k, 21.6 - 3.9 * row), 3.8, 3.0, edgecolor="none", **look))
    ax.text(72.3, 2.2, "fit on the blue, test on the orange", ha="center", size=10)
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
        fig.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if len(sys.argv) > 1:  # a PNG to look at
            fig.savefig(sys.argv[1])
