"""Draws counts.svg, the picture at the top of the handout: `python counts.py`."""

import sys
from pathlib import Path

from coursekit.plots import COLORS, style
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

WORDS = ("dog", "cat", "car", "barks", "eats", "stops")
COUNTS = ((0, 0, 0, 5, 6, 0), (0, 0, 0, 6, 5, 0), (0, 0, 0, 0, 0, 9), (5, 6, 0, 0, 0, 0), (6, 5, 0, 0, 0, 0), (0, 0, 9, 0, 0, 0))


def draw():
    fig = Figure(figsize=(8.6, 3.1))
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 86), ylim=(0, 31))
    ax.axis("off")
    ax.grid(False)
    arrow = {"arrowstyle": "->", "color": COLORS["grey"], "linewidth": 1.6}
    for middle, title in ((13, "read"), (43.5, "count"), (73, "factor")):
        ax.text(middle, 28.5, title, ha="center", va="center", weight="bold")
    for left in (27.2, 58.2):
        ax.annotate("", (left + 3.6, 15), (left, 15), arrowprops=arrow)

    # a sentence, and the window around one word of it
    for k, (x, word) in enumerate(((3.8, "the"), (9.6, "dog"), (16.2, "never"), (23, "barks"))):
        ax.text(x, 17, word, ha="center", va="center", color=COLORS["blue"] if k == 1 else COLORS["black"])
    ax.add_patch(Rectangle((1.3, 14.9), 24.6, 4.2, facecolor=COLORS["blue"], alpha=0.13, linewidth=0))
    for x, y, weight in ((3.8, 12.0, "1"), (16.2, 12.0, "1"), (23, 8.6, "½")):
        bend = {"arrowstyle": "-", "color": COLORS["blue"], "linewidth": 1.2}
        ax.annotate("", (x, y + 1.4), (x, 15), arrowprops=bend)
        ax.text(x, y, weight, ha="center", va="center", color=COLORS["blue"])
    ax.text(13, 4.4, "which words stand near dog?", ha="center", size=10)

    # the table of counts
    left, top, cell = 38.2, 22.0, 2.9
    for i, row in enumerate(COUNTS):
        ax.text(left - 0.7, top - (i + 0.5) * cell, WORDS[i], ha="right", va="center", size=9)
        ax.text(left + (i + 0.5) * cell, top + 0.6, WORDS[i], ha="left", va="bottom", size=8, rotation=40)
        for j, count in enumerate(row):
            place = (left + j * cell, top - (i + 1) * cell)
            shade = COLORS["orange"] if count else "white"
            ax.add_patch(Rectangle(place, cell, cell, facecolor=shade, alpha=0.15 + count / 14, edgecolor=COLORS["grey"], linewidth=0.6))
            ax.text(place[0] + cell / 2, place[1] + cell / 2, str(count), ha="center", va="center", size=9)
    ax.add_patch(Rectangle((left, top - 2 * cell), 6 * cell, 2 * cell, fill=False, edgecolor=COLORS["blue"], linewidth=2))
    ax.text(47, 1.6, "dog and cat: 0", ha="center", size=10, color=COLORS["blue"])

    # the map
    ax.plot([64, 64, 84.5], [26, 5, 5], color=COLORS["grey"], linewidth=1, linestyle="-")
    for x, y, word, color in (
        (68, 21.5, "dog", "blue"), (67.2, 18.6, "cat", "blue"), (79, 20, "car", "orange"),
        (68, 10, "barks", "sky"), (69.2, 7.3, "eats", "sky"), (78, 9, "stops", "red"),
    ):  # fmt: skip
        ax.plot(x, y, "o", color=COLORS[color], markersize=6)
        ax.text(x + 1.0, y, word, va="center", size=10)
    ax.text(74, 1.6, "dog and cat: close together", ha="center", size=10, color=COLORS["blue"])
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
        fig.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if len(sys.argv) > 1:  # a PNG to look at
            fig.savefig(sys.argv[1])
