"""Draws pipeline.svg, the picture at the top of the handout: `python pipeline.py`."""

import sys
from pathlib import Path

from coursekit.plots import COLORS, style
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch


def draw():
    fig = Figure(figsize=(9.2, 3.3))
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 92), ylim=(0, 33))
    ax.axis("off")
    ax.grid(False)

    def box(x, y, width, height, color, title, *lines):
        style = "round,pad=0,rounding_size=0.8"
        ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, facecolor=COLORS[color], alpha=0.25, linewidth=0))
        top = y + height - 2.4
        ax.text(x + width / 2, top, title, ha="center", va="center", weight="bold", size=11)
        for number, line in enumerate(lines, 1):
            ax.text(x + width / 2, top - 2.5 * number, line, ha="center", va="center", size=9.5)

    def arrow(start, end):
        ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": COLORS["grey"], "linewidth": 1.4})

    box(1, 11.7, 12, 9.5, "grey", "query", '"why is the', 'sea salty?"')
    box(19, 21, 22, 9.5, "blue", "by words", "count, weigh, add", "Task 1")
    box(19, 2.5, 22, 9.5, "orange", "by meaning", "encode, compare", "Tasks 2, 4, 5, 7, 8")
    box(47, 10.5, 12, 12, "green", "fuse", "two rankings", "become one", "Task 9")
    box(63, 10.5, 12, 12, "purple", "re-rank", "read both", "texts at once", "Task 6")
    box(79, 10.5, 12, 12, "sky", "prompt", "passages for", "the model", "Task 9")
    for start, end in (((13.3, 18.5), (18.7, 24)), ((13.3, 14.5), (18.7, 8)), ((41.3, 25), (46.7, 19)), ((41.3, 8), (46.7, 14))):
        arrow(start, end)
    arrow((59.3, 16.5), (62.7, 16.5))
    arrow((75.3, 16.5), (78.7, 16.5))
    ax.text(69, 27.2, "Is the ranking good? Task 3", ha="center", size=10, color=COLORS["black"])
    arrow((69, 22.9), (69, 26.3))
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
        fig.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if len(sys.argv) > 1:  # a PNG to look at
            fig.savefig(sys.argv[1])
