"""Draws row.svg, the picture at the top of the handout: `python row.py`."""

import sys
from pathlib import Path

from coursekit.plots import COLORS, style
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

TOKENS = ["How", "are", "you", "?", "Fine", "EOS", "–"]
N_PROMPT, LENGTH = 4, 6
STEP, LEFT = 10.5, 23.0


def at(position):
    return LEFT + STEP * position


def draw():
    fig = Figure(figsize=(9.4, 4.1))
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 94), ylim=(0, 41))
    ax.axis("off")
    ax.grid(False)
    for j, token in enumerate(TOKENS):
        name = "blue" if j < N_PROMPT else "orange" if j < LENGTH else "grey"
        shape = {"boxstyle": "round,rounding_size=0.8", "facecolor": COLORS[name], "alpha": 0.3, "linewidth": 0}
        box = FancyBboxPatch((at(j) - 3.9, 32), 7.8, 4.4, **shape)
        ax.add_patch(box)
        ax.text(at(j), 34.2, token, ha="center", va="center", weight="bold")
        ax.text(at(j), 38, str(j), ha="center", va="center", size=9, color=COLORS["grey"])
    parts = (0, 3, "prompt", "blue"), (4, 5, "response", "orange"), (6, 6, "filler", "grey")
    for left, right, name, color in parts:
        ax.text((at(left) + at(right)) / 2, 39.9, name, ha="center", va="center", color=COLORS[color], size=10)

    rows = [(21.2, "action t"), (16.8, "mask"), (12.4, "reward"), (8.0, "value"), (3.6, "done")]
    for y, label in rows:
        ax.text(2, y, label, va="center", color=COLORS["black"], weight="bold")
        ax.plot([2, at(5) + 5], [y + 2.2, y + 2.2], color="#DDDDDD", linewidth=0.8, linestyle="-")
    ax.text(2, 34.2, "token", va="center", weight="bold")
    for t in range(len(TOKENS) - 1):
        counts = N_PROMPT <= t + 1 < LENGTH
        color = COLORS["red"] if counts else COLORS["grey"]
        width = 1.8 if counts else 0.9
        arrow = {"arrowstyle": "->", "color": color, "linewidth": width, "shrinkA": 0, "shrinkB": 1}
        ax.annotate("", (at(t + 1) - 0.6, 31.8), (at(t), 23.4), arrowprops=arrow)
        last = t + 1 == LENGTH - 1
        price = rf"$-\beta\,\mathrm{{k1}}_{t}$" + (" + r" if last else "")
        texts = [str(t), "True", price, f"$V_{t}$"] if counts else [str(t), "False", "0", ""]
        texts.append("yes" if last else "")
        ink = COLORS["black"] if counts else COLORS["grey"]
        for (y, _), text in zip(rows, texts, strict=True):
            ax.text(at(t), y, text, ha="center", va="center", color=ink)
    for y, text in ((21.2, "T = 7 tokens,"), (18.6, "A = 6 actions")):
        ax.text(at(6) - 3.4, y, text, va="center", size=9, color=COLORS["grey"])
    ax.text(2, 27.6, "chooses", va="center", color=COLORS["black"], weight="bold")
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
        fig.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if len(sys.argv) > 1:  # a PNG to look at
            fig.savefig(sys.argv[1])
