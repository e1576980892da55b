"""Draws slide.svg: the edge kernel on one window of the "0", and the number that comes of it. `python slide.py`."""

from pathlib import Path

import numpy as np
from matplotlib.patches import Rectangle

from coursekit.data import edge_kernel, zero_image
from coursekit.drawing import save
from coursekit.plots import COLORS, DIVERGING, style, subplots

TOP, LEFT = 0, 1  # the window that is shown


def cells(ax, matrix, left, top, *, cmap, low, high, form):
    """A matrix as squares of side 1 with their numbers; its first square at (left, top)."""
    from matplotlib import colormaps

    for (i, j), value in np.ndenumerate(matrix):
        shade = colormaps[cmap]((value - low) / (high - low))
        ax.add_patch(Rectangle((left + j, -top - i - 1), 1, 1, facecolor=shade, edgecolor="white"))
        dark = 0.2126 * shade[0] + 0.7152 * shade[1] + 0.0722 * shade[2] < 0.45
        text = form.format(value).replace("-", "−")
        place = {"ha": "center", "va": "center", "size": 11}
        ax.text(left + j + 0.5, -top - i - 0.5, text, color="white" if dark else "#222222", **place)


def frame(ax, left, top, size):
    ax.add_patch(Rectangle((left, -top - size), size, size, fill=False, edgecolor=COLORS["red"], linewidth=2.6))


def draw():
    image, kernel = zero_image(), edge_kernel()
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3))
    out = np.einsum("ijuv,uv->ij", windows, kernel)
    fig, ax = subplots(size=(10.4, 4.3))
    ax.set(xlim=(-0.3, 15.6), ylim=(-7.0, 0.9), aspect="equal")
    ax.axis("off")
    cells(ax, image, 0, 0, cmap="Greys", low=0, high=1.05, form="{:.1f}")
    cells(ax, kernel, 6.6, 1, cmap=DIVERGING, low=-1.6, high=1.6, form="{:.0f}")
    cells(ax, np.round(out, 9) + 0.0, 11.6, 1, cmap=DIVERGING, low=-2.8, high=2.8, form="{:.1f}")
    frame(ax, LEFT, TOP, 3)
    frame(ax, 11.6 + LEFT, 1 + TOP, 1)
    for x, sign in ((5.8, "⋆"), (10.6, "=")):
        ax.text(x, -2.5, sign, ha="center", va="center", size=20)
    for x, name in ((2.5, "image, 5 × 5"), (8.1, "kernel, 3 × 3"), (13.1, "feature map, 3 × 3")):
        ax.text(x, 0.55, name, ha="center", va="center", weight="bold")
    total = "(0.8 + 0.9 + 0.8) − (0.1 + 0.2 + 0.1) = 2.1"
    ax.text(11.1, -5.6, total, ha="center", va="center", size=11.5, color=COLORS["red"])
    note = "framed: row above minus row below,\nthe middle row does not count"
    ax.text(11.1, -6.5, note, ha="center", va="center", size=9.5, color="#666666")
    return fig


if __name__ == "__main__":
    with style():
        caption = "The edge kernel laid on the top of the 0 gives 2.1: ink above, paper below."
        _, png = save(draw(), Path(__file__).parent, "slide", caption)
    png.unlink()  # the handout shows the SVG
