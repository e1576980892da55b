"""Draws methods.svg: which tokens of a conversation count, and where methods put the numbers they train. Run: python img/methods.py"""

from pathlib import Path

from matplotlib.patches import FancyBboxPatch, Rectangle

from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots

TOKENS = [  # text, who wrote it
    ("<user>", "header"),
    ("What", "user"),
    ("is", "user"),
    ("2 + 2", "user"),
    ("?", "user"),
    ("<end>", "user"),
    ("<assistant>", "header"),
    ("It", "words"),
    ("is", "words"),
    ("4", "words"),
    ("<end>", "?"),
]
FILL = {"header": "#E4E4E4", "user": "#F6F6F6", "words": "#CFE4F3", "?": "white"}


def box(ax, x, y, width, height, text, *, fill="white", edge="#222222", color="#222222", size=10, ls="-", weight="normal"):
    shape = FancyBboxPatch((x, y), width, height, boxstyle="round,pad=0,rounding_size=0.08", fc=fill, ec=edge, lw=1.2, ls=ls)
    ax.add_patch(shape)
    ax.text(x + width / 2, y + height / 2, text, ha="center", va="center", size=size, color=color, weight=weight)


def arrow(ax, start, end):
    ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": "#222222", "lw": 1.2, "shrinkA": 0, "shrinkB": 0})


def conversation(ax):
    """One row of tokens, from top to bottom, and who writes each of them."""
    for i, (text, kind) in enumerate(TOKENS):
        y = 10 - i
        box(ax, 0, y, 2.4, 0.8, text, fill=FILL[kind], ls="--" if kind == "?" else "-")
        note = {"header": "the program", "user": "the user", "words": "the assistant: counts", "?": "who? does it count?"}[kind]
        ax.text(2.7, y + 0.4, note, va="center", size=10, color=COLORS["blue"] if kind in ("words", "?") else "#6A6A6A")
    ax.set(xlim=(-0.2, 6.4), ylim=(-0.4, 11.2), title="A conversation, as one row of tokens")


def block(ax):
    """A transformer block; what is trained is blue."""
    blue = {"edge": COLORS["blue"], "color": COLORS["blue"], "fill": "#EAF3FA", "size": 9.5}
    box(ax, 3.2, 9.8, 4.4, 0.8, "embeddings of the text")
    box(ax, 0, 9.8, 2.9, 0.8, "soft prompt", **blue)
    box(ax, 3.2, 7.6, 1.3, 0.8, "$W_Q$")
    box(ax, 4.75, 7.6, 1.3, 0.8, "$W_K$")
    box(ax, 6.3, 7.6, 1.3, 0.8, "$W_V$")
    box(ax, 8.0, 7.6, 3.2, 0.8, "LoRA: + s A B", **blue)
    box(ax, 3.2, 5.4, 4.4, 0.8, "attention over keys, values")
    box(ax, 0, 5.4, 2.9, 0.8, "prefix of keys, values", **blue)
    box(ax, 8.0, 5.4, 3.2, 0.8, "(IA)³: × factors", **blue)
    box(ax, 3.2, 3.2, 4.4, 0.8, "MLP: $W_1$, GELU, $W_2$")
    box(ax, 0, 3.2, 2.9, 0.8, "biases alone", **blue)
    box(ax, 8.0, 3.2, 3.2, 0.8, "(IA)³: × factors", **blue)
    box(ax, 3.2, 1.0, 4.4, 0.8, "adapter layer: + small MLP", **blue)
    for x in (3.85, 5.4, 6.95):
        arrow(ax, (x, 9.8), (x, 8.4))
        arrow(ax, (x, 7.6), (x, 6.2))
    for top, bottom in ((5.4, 4.0), (3.2, 1.8), (1.0, -0.2)):
        arrow(ax, (5.4, top), (5.4, bottom))
    for x, y in ((2.9, 10.2), (2.9, 5.8), (2.9, 3.6)):
        ax.plot([x, x + 0.3], [y, y], color=COLORS["blue"], lw=1.5, ls="-")
    for y in (8.0, 5.8, 3.6):
        ax.plot([7.6, 8.0], [y, y], color=COLORS["blue"], lw=1.5, ls="-")
    ax.add_patch(Rectangle((2.95, 0.6), 4.9, 8.2, fc="none", ec="#8A8A8A", lw=1, ls=":"))
    ax.text(2.85, 8.55, "a block", ha="right", size=10, color="#6A6A6A")
    ax.set(xlim=(-0.2, 11.4), ylim=(-0.4, 11.2), title="Where few numbers can be trained (blue)")


def draw():
    fig, (left, right) = subplots(1, 2, size=(12, 5.4), width_ratios=[1, 1.75])
    conversation(left)
    block(right)
    for ax in (left, right):
        ax.set_axis_off()
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    about = "A conversation as a row of tokens, and a transformer block with the places where six methods train few numbers"
    svg, png = save(fig, Path(__file__).parent, "methods", about)
    png.unlink()
