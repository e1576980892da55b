"""Draws comparisons.svg: from who beats whom to a policy. Run: python img/comparisons.py"""

from pathlib import Path

import numpy as np

from coursekit.drawing import save
from coursekit.plots import COLORS, DIVERGING, style, subplots

NAMES = ["A", "B", "C", "D", "E"]
REFERENCE = np.array([0.40, 0.25, 0.20, 0.10, 0.05])
REWARD = np.array([0.0, 1.1, -0.7, 1.8, 0.6])


def best(beta):
    """The policy with the highest mean reward less beta KL from the reference, by climbing."""
    p = REFERENCE
    for _ in range(20_000):
        worth = REWARD - beta * np.log(p / REFERENCE)
        p = p * np.exp(0.05 * (worth - p @ worth))
        p = p / p.sum()
    return p


def draw():
    fig, (left, right) = subplots(1, 2, size=(11, 3.7), width_ratios=[1, 1.5])
    wins = 1 / (1 + np.exp(REWARD - REWARD[:, None]))
    np.fill_diagonal(wins, np.nan)
    place = np.arange(len(NAMES))
    # from both ends to white: an even match has no color
    shades = left.imshow(wins, cmap=DIVERGING, vmin=0, vmax=1, aspect="auto")
    for (i, j), share in np.ndenumerate(wins):
        if i != j:
            color = "white" if abs(share - 0.5) > 0.33 else COLORS["black"]
            left.text(j, i, f"{share:.2f}", ha="center", va="center", size=9, color=color)
    left.grid(False)
    left.tick_params(length=0)
    left.set(xticks=place, xticklabels=NAMES, yticks=place, yticklabels=NAMES)
    left.set(title="Given: the row is preferred …", xlabel="… to the column")
    for side in ("left", "bottom"):
        left.spines[side].set_visible(False)
    fig.colorbar(shades, ax=left, label="how often", pad=0.02, aspect=30).outline.set_visible(False)
    series = (
        ("reference", REFERENCE, "grey"),
        ("best at β = 2", best(2.0), "sky"),
        ("best at β = 0.5", best(0.5), "blue"),
    )
    for shift, (label, p, color) in zip((-0.27, 0.0, 0.27), series, strict=True):
        right.bar(place + shift, p, width=0.25, color=COLORS[color], label=label)
    right.set(title="Wanted: a policy", ylabel="probability", xticks=place, xticklabels=NAMES)
    right.grid(axis="x", visible=False)
    right.legend()
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    about = "A table of preferences between five answers, and the policies that trade reward for distance"
    svg, png = save(fig, Path(__file__).parent, "comparisons", about)
    png.unlink()
