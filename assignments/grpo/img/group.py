"""Draws group.svg: a prompt, its group of answers, their rewards and advantages. Run: python img/group.py"""

from pathlib import Path

from matplotlib.patches import FancyBboxPatch, Rectangle

from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots

ANSWERS = [
    (["6", "·", "7", "=", "42", "end"], 1),
    (["maybe", "42", "end"], 1),
    (["it", "is", "48", "end"], 0),
    (["6", "+", "7", "so", "it", "is", "13", "end"], 0),
]
ADVANTAGE = {1: "+½", 0: "−½"}


def draw():
    fig, ax = subplots(size=(11, 3.1))
    ax.axis("off")
    ax.set(xlim=(0, 16), ylim=(-0.3, 4.9))
    ax.add_patch(FancyBboxPatch((0.2, 1.55), 2.1, 0.9, boxstyle="round,pad=0.1", fc="white", ec=COLORS["black"]))
    ax.text(1.25, 2.0, "6 times 7?", ha="center", va="center")
    for x, text in ((1.25, "prompt"), (7.2, "group of G = 4 answers, padded to T = 8 tokens"), (12.85, "reward"), (14.7, "advantage")):
        ax.text(x, 4.5, text, ha="center", va="center", weight="bold", size=10)
    for row, (tokens, reward) in enumerate(ANSWERS):
        y = 3.2 - 1.07 * row
        color = COLORS["blue"] if reward else COLORS["red"]
        ax.annotate("", (3.5, y + 0.4), (2.45, 2.0), arrowprops={"arrowstyle": "->", "color": COLORS["grey"]})
        for at in range(8):
            inside = at < len(tokens)
            ax.add_patch(Rectangle((3.6 + at, y), 0.92, 0.8, fc=color if inside else "white", alpha=0.25 if inside else 1.0, ec="none"))
            ax.add_patch(Rectangle((3.6 + at, y), 0.92, 0.8, fill=False, ec=COLORS["grey"], ls="-" if inside else ":"))
            if inside:
                ax.text(4.06 + at, y + 0.4, tokens[at], ha="center", va="center", size=9)
        ax.text(12.85, y + 0.4, str(reward), ha="center", va="center", color=color)
        ax.text(14.7, y + 0.4, ADVANTAGE[reward], ha="center", va="center", color=color)
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    about = "A prompt with four answers of different lengths, their rewards, and their advantages over the mean of the group"
    svg, png = save(fig, Path(__file__).parent, "group", about)
    png.unlink()
