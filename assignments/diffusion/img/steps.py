"""Draws steps.svg: noise is added step by step, and a sampler goes back with a network's guesses. Run: python img/steps.py"""

from pathlib import Path

import numpy as np
from matplotlib.patches import FancyBboxPatch

from coursekit.data import digits
from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots


def draw():
    fig, ax = subplots(size=(11, 3.6))
    ax.axis("off")
    ax.set(xlim=(0, 16), ylim=(0, 5.2), aspect="equal")
    rng = np.random.default_rng(0)
    image = 2 * digits(1, noise=0.0)[0][0].reshape(12, 12) - 1
    noise = rng.standard_normal(image.shape)
    names = ("image x₀", "x at t − 1", "x at t", "noise x at T")

    def arrow(start, end, color, dashed=False):
        ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": COLORS[color], "lw": 1.7, "ls": "--" if dashed else "-"})

    places = (1.5, 5.8, 10.1, 14.4)
    for x, left, name in zip(places, (1.0, 0.75, 0.45, 0.0), names, strict=True):
        noisy = np.sqrt(left) * image + np.sqrt(1 - left) * noise
        ax.imshow(noisy, extent=(x - 0.9, x + 0.9, 2.3, 4.1), cmap="gray", vmin=-1.6, vmax=1.6, zorder=2)
        ax.text(x, 1.95, name, ha="center", va="center", size=10)
    for a, b in zip(places[:-1], places[1:], strict=True):
        arrow((a + 1.1, 3.7), (b - 1.1, 3.7), "grey")
        arrow((b - 1.1, 2.7), (a + 1.1, 2.7), "blue")
    for x in (3.65, 12.25):
        ax.text(x, 3.2, "many steps", ha="center", va="center", size=9, color=COLORS["grey"])
    ax.text(7.95, 4.05, "add noise", ha="center", va="center", size=10, color=COLORS["grey"])
    ax.text(7.95, 3.05, "step back", ha="center", va="center", size=10, color=COLORS["blue"])
    ax.add_patch(FancyBboxPatch((6.75, 0.35), 2.4, 0.7, boxstyle="round,pad=0.1", fc="white", ec=COLORS["red"], lw=1.8))
    ax.text(7.95, 0.7, "network", ha="center", va="center", size=11, color=COLORS["red"])
    arrow((10.1, 1.7), (9.35, 0.85), "red")
    arrow((6.55, 0.7), (2.0, 1.7), "red", dashed=True)
    ax.text(3.3, 0.75, "a guess of x₀", ha="center", va="center", size=10, color=COLORS["red"])
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    about = "An image gets more noise from left to right; a network guesses the image from each noisy one, and a sampler steps back"
    svg, png = save(fig, Path(__file__).parent, "steps", about)
    png.unlink()
