"""Draws vae.svg: an image, the encoder's cloud of latents, a sample, and the decoded image. Run: python img/vae.py"""

from pathlib import Path

import numpy as np
from matplotlib.patches import Ellipse, FancyBboxPatch

from coursekit.data import digits
from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots


def box(ax, x, text):
    ax.add_patch(FancyBboxPatch((x - 0.75, 1.62), 1.5, 0.76, boxstyle="round,pad=0.08", fc="white", ec=COLORS["black"]))
    ax.text(x, 2.0, text, ha="center", va="center")


def arrow(ax, start, end, color="grey", **kwargs):
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "color": COLORS[color], "linewidth": 1.6, **kwargs})


def draw():
    fig, ax = subplots(size=(11, 3.3))
    ax.axis("off")
    ax.set(xlim=(0, 16), ylim=(-0.35, 4.45), aspect="equal")
    images, _ = digits(20)
    image = images[3, 0]
    soft = (image + np.roll(image, 1, 0) + np.roll(image, -1, 0) + np.roll(image, 1, 1) + np.roll(image, -1, 1)) / 5
    for left, shown in ((0.3, image), (13.5, soft)):
        ax.imshow(shown, cmap="gray_r", vmin=0, vmax=1, extent=(left, left + 2.2, 0.9, 3.1))
    box(ax, 4.2, "encoder")
    box(ax, 11.6, "decoder")
    for ring in (1.0, 2.0):
        ax.add_patch(Ellipse((7.9, 2.0), 1.9 * ring, 1.9 * ring, fill=False, ec=COLORS["grey"], ls=":", linewidth=1.4))
    ax.add_patch(Ellipse((7.35, 2.45), 0.9, 0.5, fc=COLORS["blue"], alpha=0.35, ec=COLORS["blue"]))
    ax.plot(7.6, 2.52, "o", color=COLORS["orange"], markersize=7)
    arrow(ax, (2.6, 2.0), (3.3, 2.0))
    arrow(ax, (5.1, 2.0), (6.85, 2.4))
    arrow(ax, (7.72, 2.5), (10.7, 2.05), "orange")
    arrow(ax, (12.5, 2.0), (13.4, 2.0))
    for x, text in ((1.4, "image x"), (4.2, "two numbers per latent"), (7.9, "latents z"), (11.6, "mean of each pixel"), (14.6, "p(x|z)")):
        ax.text(x, 4.2, text, ha="center", va="center", weight="bold", size=10)
    ax.text(7.15, 3.3, "q(z|x)", color=COLORS["blue"], ha="center", va="center")
    ax.text(7.75, 1.85, "one sample", color="#8A5A00", ha="center", va="center", size=9)
    ax.text(8.1, 0.62, "prior N(0, I)", color="#555555", ha="center", va="center")
    ax.text(7.9, -0.2, "KL: how far q(z|x) is from the prior", ha="center", va="center", size=10)
    ax.text(14.6, -0.2, "error: how far x is from the mean", ha="center", va="center", size=10)
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    about = "An image goes through an encoder to a small cloud of latents inside the prior; one sample of it goes through a decoder to a blurred image"
    svg, png = save(fig, Path(__file__).parent, "vae", about)
    png.unlink()
