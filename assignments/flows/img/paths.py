"""Draws paths.svg: straight training paths from noise to three points, and one big step into the unknown. Run: python img/paths.py"""

from pathlib import Path

import numpy as np

from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots

POINTS = np.array([-2.0, -1.0, 3.0])


def draw():
    fig, (left, right) = subplots(1, 2, size=(11, 3.6), sharey=True)
    rng = np.random.default_rng(2)
    noise = rng.standard_normal(40)
    for begin, end in zip(noise, rng.choice(POINTS, 40), strict=True):
        left.plot([0, 1], [begin, end], color=COLORS["blue"], linestyle="-", linewidth=0.9, alpha=0.6)
    heights = np.linspace(-3, 3, 200)
    for ax in (left, right):
        ax.plot(np.zeros(40), noise, "o", color=COLORS["grey"], markersize=4, clip_on=False)
        ax.plot(np.ones(3), POINTS, "o", color=COLORS["black"], markersize=8, clip_on=False)
        for point in POINTS:
            ax.text(1.04, point, f"{point:g}".replace("-", "−"), va="center")
        ax.fill_betweenx(heights, -0.18 * np.exp(-(heights**2) / 2) - 0.02, -0.02, color=COLORS["grey"], alpha=0.35, linewidth=0)
        ax.set(xlim=(-0.22, 1.12), ylim=(-3.2, 3.4), xticks=[0, 1], xticklabels=["time 0: noise", "time 1: data"], yticks=[])
        ax.spines[["left", "bottom"]].set_visible(False)
        ax.grid(visible=False)
    for begin in noise[::4]:
        right.annotate("", (0.4, begin), (0.03, begin), arrowprops={"arrowstyle": "->", "color": COLORS["red"], "linewidth": 1.3})
    right.text(0.66, 0, "?", ha="center", va="center", size=44, color=COLORS["red"])
    left.set_title("every training path is straight")
    right.set_title("one step along the learned velocity")
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    about = "Straight training paths from noise to three points, and one step from each noise whose end is a question mark"
    svg, png = save(fig, Path(__file__).parent, "paths", about)
    png.unlink()
