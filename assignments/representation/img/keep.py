"""Draws keep.svg: one matrix of numbers and four questions about it. Run: python img/keep.py"""

from pathlib import Path

from matplotlib.patches import FancyBboxPatch, Rectangle

from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots

SHADES = [[0.9, 0.2, 0.5, 0.1], [0.3, 0.7, 0.1, 0.6], [0.85, 0.25, 0.45, 0.15], [0.1, 0.4, 0.9, 0.3], [0.6, 0.1, 0.3, 0.8]]
QUESTIONS = [
    (3.55, "green", "Can the inputs be rebuilt?", "Tasks 1, 2"),
    (2.55, "blue", "Are two views of one example close?", "Tasks 3, 4, 5"),
    (1.55, "orange", "How many features say something new?", "Task 6"),
    (0.55, "purple", "Who is alike: networks, and examples?", "Tasks 7, 8"),
]


def draw():
    fig, ax = subplots(size=(11, 3.3))
    ax.axis("off")
    ax.set(xlim=(0, 16), ylim=(-0.1, 4.7))
    for row in range(5):
        ax.add_patch(FancyBboxPatch((0.3, 3.3 - 0.75 * row), 1.5, 0.45, boxstyle="round,pad=0.05", fc="white", ec=COLORS["grey"]))
        ax.text(1.05, 3.52 - 0.75 * row, f"example {row + 1}", ha="center", va="center", size=9)
        for column, shade in enumerate(SHADES[row]):
            ax.add_patch(Rectangle((5.3 + 0.75 * column, 3.2 - 0.75 * row), 0.7, 0.65, fc=COLORS["blue"], alpha=shade, ec="none"))
    ax.add_patch(FancyBboxPatch((2.75, 1.55), 1.5, 0.9, boxstyle="round,pad=0.1", fc="white", ec=COLORS["black"]))
    ax.text(3.5, 2.0, "encoder", ha="center", va="center")
    for start, end in ((1.95, 2.6), (4.4, 5.1)):
        ax.annotate("", (end, 2.0), (start, 2.0), arrowprops={"arrowstyle": "->", "color": COLORS["black"]})
    ax.text(6.8, 4.3, "representation: N rows, d features", ha="center", va="center", weight="bold", size=10)
    for y, color, question, tasks in QUESTIONS:
        ax.annotate("", (9.6, y), (8.45, 2.0), arrowprops={"arrowstyle": "->", "color": COLORS[color]})
        ax.text(9.8, y, question, va="center", size=11, color=COLORS[color])
        ax.text(15.9, y, tasks, va="center", ha="right", size=9, color=COLORS["black"])
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    about = "An encoder turns each example into a row of numbers; four questions are asked about the matrix of all rows"
    svg, png = save(fig, Path(__file__).parent, "keep", about)
    png.unlink()
