"""Draws round.svg, the picture at the top of the handout: `python round.py`."""

import sys
from pathlib import Path

from coursekit.plots import COLORS, style
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

ROWS = {
    "draft writes, one call each": (["the", "cat", "sat", "on", "my", "hat"], 14),
    "target reads all in one call": (["the", "cat", "sat", "on", "my", "hat"], 8.2),
    "text after the round": (["the", "cat", "sat", "on", "a"], 2.4),
}
LEFT, STEP, WIDTH, HEIGHT = 27, 9.2, 8.4, 3.2


def box(ax, place, y, word, color, *, alpha=0.3, text="black"):
    ax.add_patch(Rectangle((LEFT + STEP * place, y), WIDTH, HEIGHT, facecolor=COLORS[color], alpha=alpha, linewidth=0))
    ax.text(LEFT + STEP * place + WIDTH / 2, y + HEIGHT / 2, word, ha="center", va="center", color=COLORS[text])


def draw():
    fig = Figure(figsize=(8.4, 2.2))
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 84), ylim=(0, 22))
    ax.axis("off")
    ax.grid(False)
    for name, (words, y) in ROWS.items():
        ax.text(25.5, y + HEIGHT / 2, name, ha="right", va="center")
        for place, word in enumerate(words):
            fresh = place > 1
            box(ax, place, y, word, ("orange" if y > 10 else "blue") if fresh else "grey")
    for place, verdict in enumerate(("accepted", "accepted", "rejected", "thrown away")):
        middle = LEFT + STEP * (place + 2) + WIDTH / 2
        color = "green" if place < 2 else "red" if place == 2 else "grey"
        ax.text(middle, 6.9, verdict, ha="center", va="center", size=9, color=COLORS[color])
    ax.text(LEFT + STEP * 5, 2.4 + HEIGHT / 2, "← drawn\nfrom what?", va="center", size=9, color=COLORS["red"])
    ax.text(LEFT + STEP, 19.4, "the text so far", ha="center", va="center", size=10, color=COLORS["grey"])
    ax.text(LEFT + STEP * 4, 19.4, "γ = 4 drafted tokens", ha="center", va="center", size=10, color=COLORS["orange"])
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
        fig.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if len(sys.argv) > 1:  # a PNG to look at
            fig.savefig(sys.argv[1])
