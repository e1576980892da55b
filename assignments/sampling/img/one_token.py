"""Draws one_token.svg, the handout's picture. Run: python one_token.py (it also writes a PNG, to look at)"""

from pathlib import Path

from matplotlib.patches import Circle, FancyArrowPatch, Rectangle

from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots

WIDTH, HEIGHT = 880, 290
TOKENS = [COLORS["orange"], COLORS["blue"], COLORS["grey"], COLORS["green"], COLORS["grey"]]


def text(ax, x, y, words, **options):
    ax.text(x, y, words, **{"ha": "center", "va": "center", "size": 10, **options})


def arrow(ax, *corners):
    """A line through the corners with a tip at the last one."""
    xs, ys = zip(*corners, strict=True)
    ax.plot(xs[:-1], ys[:-1], color=COLORS["black"], linestyle="-", linewidth=1.2)
    tip = FancyArrowPatch(corners[-2], corners[-1], arrowstyle="-|>", mutation_scale=11, shrinkA=0, shrinkB=0)
    ax.add_patch(tip)


def task(ax, x, y, number):
    ax.add_patch(Circle((x, y), 10, color=COLORS["blue"], zorder=5))
    text(ax, x, y, str(number), color="white", weight="bold", size=9, zorder=6)


def box(ax, x, width, words, number=None):
    ax.add_patch(Rectangle((x, 42), width, 56, facecolor="#EEF3F7", edgecolor="#9BB4C7"))
    text(ax, x + width / 2, 70, words)
    if number:
        task(ax, x + width, 42, number)


def bars(ax, x, values, scale):
    for i, value in enumerate(values):
        if value:
            ax.add_patch(Rectangle((x + 20 * i, 98), 15, -scale * value, color=TOKENS[i]))
        else:
            text(ax, x + 20 * i + 7.5, 91, "×", color=COLORS["red"], size=12)
        text(ax, x + 20 * i + 7.5, 108, str(i), size=8.5)


def picture():
    fig, ax = subplots(size=(WIDTH / 90, HEIGHT / 90))
    ax.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0), aspect="equal")
    ax.axis("off")

    box(ax, 12, 92, "text so far")
    arrow(ax, (104, 70), (128, 70))
    box(ax, 130, 70, "model")
    arrow(ax, (200, 70), (226, 70))
    text(ax, 282, 24, "logits")
    bars(ax, 234, [0.25, 1, 0.125, 0.5, 0.125], 56)
    arrow(ax, (338, 70), (360, 70))
    for x, width, words, number in [
        (362, 80, "penalty", None),
        (466, 108, "temperature", 1),
        (598, 62, "top-k", 2),
        (684, 66, "top-p\nmin-p", 3),
    ]:
        box(ax, x, width, words, number)
        arrow(ax, (x + width, 70), (x + width + 22, 70))
    text(ax, 824, 24, "distribution")
    bars(ax, 776, [1 / 7, 4 / 7, 0, 2 / 7, 0], 90)

    # the interval [0, 1) with a stretch for each token that is left
    left, length, top = 236, 510, 185
    arrow(ax, (824, 122), (824, top + 17), (left + length + 14, top + 17))
    for start, end, token in [(0, 1, 0), (1, 5, 1), (5, 7, 3)]:
        x, width = left + start / 7 * length, (end - start) / 7 * length
        ax.add_patch(Rectangle((x, top), width, 34, facecolor=TOKENS[token], edgecolor="white"))
        text(ax, x + width / 2, top + 17, f"token {token}", color="white", weight="bold", size=9.5)
    for seventh, words in [(0, "0"), (1, "1/7"), (5, "5/7"), (7, "1")]:
        text(ax, left + seventh / 7 * length, top + 46, words, size=9)
    u = left + 0.58 * length
    arrow(ax, (u, top - 26), (u, top - 2))
    text(ax, u, top - 37, "u = 0.58, given")
    task(ax, left + length, top, 4)

    arrow(ax, (left - 6, top + 17), (58, top + 17), (58, 102))
    task(ax, 58, top + 17, 5)
    text(ax, 74, top, "append token 1", ha="left")
    text(ax, 74, top + 36, "again, until eos", ha="left")

    for x, number, words in [
        (22, 6, "beam search keeps several texts instead of drawing one"),
        (462, 7, "perplexity judges a model"),
        (676, 8, "such as Shannon's n-grams"),
    ]:
        task(ax, x, 270, number)
        text(ax, x + 17, 270, words, ha="left")
    return fig


if __name__ == "__main__":
    with style():
        save(picture(), Path(__file__).parent, "one_token", "How logits become the next token.")
