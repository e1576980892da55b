"""Draws tokens.svg: an image, its patches, the row of tokens, the blocks and three answers. Run: python img/tokens.py"""

from pathlib import Path

from matplotlib.patches import FancyBboxPatch, Rectangle

from coursekit.data import digits
from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots


def arrow(ax, start, end):
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": COLORS["grey"], "lw": 1.5})


def draw():
    fig, ax = subplots(size=(11, 3.1))
    ax.axis("off")
    ax.set(xlim=(0, 22), ylim=(0, 6.2), aspect="equal")
    images, labels = digits(60, noise=0.0)
    image = images[labels == 3][2, 0]
    side = 0.85
    for row in range(4):
        for column in range(4):
            x, y = 0.3 + column * (side + 0.12), 4.2 - row * (side + 0.12)
            patch = image[3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
            ax.imshow(patch, extent=(x, x + side, y, y + side), cmap="gray_r", vmin=0, vmax=1, zorder=1)
            ax.add_patch(Rectangle((x, y), side, side, fill=False, ec=COLORS["blue"], lw=1.2))
    ax.text(2.2, 5.65, "patches", ha="center", weight="bold", size=10)
    arrow(ax, (4.4, 3.1), (5.6, 3.1))
    ax.text(8.9, 5.65, "tokens", ha="center", weight="bold", size=10)
    for at, name in enumerate(["CLS", "1", "2", "3", "…", "16"]):
        x = 5.8 + 1.05 * at
        color = COLORS["orange"] if at == 0 else COLORS["blue"]
        ax.add_patch(Rectangle((x, 1.6), 0.85, 3.0, fc=color, alpha=0.25, ec=color))
        ax.text(x + 0.42, 3.1, name, ha="center", va="center", size=9)
    ax.text(8.9, 1.0, "each has its position added", ha="center", va="center", size=9, color=COLORS["grey"])
    arrow(ax, (12.2, 3.1), (13.3, 3.1))
    for at in range(3):
        x = 13.5 + 0.95 * at
        ax.add_patch(FancyBboxPatch((x, 1.8), 0.5, 2.6, boxstyle="round,pad=0.1", fc="white", ec=COLORS["black"]))
    ax.text(14.7, 5.65, "blocks", ha="center", weight="bold", size=10)
    for target in (4.9, 3.1, 1.3):
        arrow(ax, (16.2, 3.1), (17.4, target))
    ax.text(19.0, 5.65, "answers", ha="center", weight="bold", size=10)
    ax.text(17.7, 4.9, 'a class: "3"', va="center", size=10)
    ax.text(17.7, 3.1, "a box", va="center", size=10)
    ax.text(17.7, 1.3, "a mask", va="center", size=10)
    ax.imshow(image, extent=(19.8, 21.4, 2.3, 3.9), cmap="gray_r", vmin=0, vmax=1)
    ax.add_patch(Rectangle((19.8, 2.3), 1.6, 1.6, fill=False, ec=COLORS["grey"], lw=0.8))
    rows, columns = (image > 0.05).any(1).nonzero()[0], (image > 0.05).any(0).nonzero()[0]
    pixel = 1.6 / 12
    left, top = 19.8 + pixel * columns[0], 3.9 - pixel * rows[0]
    width, height = pixel * (columns[-1] + 1 - columns[0]), pixel * (rows[-1] + 1 - rows[0])
    ax.add_patch(Rectangle((left, top - height), width, height, fill=False, ec=COLORS["red"], lw=1.8))
    ax.imshow(image > 0.3, extent=(19.8, 21.4, 0.5, 2.1), cmap="Greens", vmin=0, vmax=1.3)
    ax.add_patch(Rectangle((19.8, 0.5), 1.6, 1.6, fill=False, ec=COLORS["grey"], lw=0.8))
    ax.set(xlim=(0, 22), ylim=(0, 6.2))
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    about = "A digit cut into 16 patches, which become tokens behind the token CLS; blocks; a class, a box and a mask"
    svg, png = save(fig, Path(__file__).parent, "tokens", about)
    png.unlink()
