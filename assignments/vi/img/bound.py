"""Draws bound.svg, the picture at the top of the handout: three q, and how each splits log p(D). Run: python
bound.py"""

import math
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from coursekit.plots import COLORS, style

PRECISION = np.array([[2.0, 1.5], [1.5, 2.0]])
GUESSES = [
    ("a first guess", (0.9, 0.9), (0.35, 0.35)),
    ("after some steps", (0.5, 0.3), (0.5, 0.5)),
    ("the best without correlations", (0.0, 0.0), (2**-0.5, 2**-0.5)),
]
EVIDENCE = 8.0  # where log p(D) is drawn; the bars' left end is no zero


def divergence(mu, sigma):
    """KL(q || posterior), the posterior being N(0, PRECISION^-1)."""
    mu, sigma = np.array(mu), np.array(sigma)
    quadratic = PRECISION.diagonal() @ sigma**2 + mu @ PRECISION @ mu - 2
    return 0.5 * (quadratic - math.log(np.linalg.det(PRECISION))) - np.log(sigma).sum()


def outline(mean, covariance):
    """The contour of a Gaussian at 1.7 standard deviations."""
    angle = np.linspace(0, 2 * np.pi, 200)
    return np.array(mean)[:, None] + 1.7 * np.linalg.cholesky(covariance) @ [np.cos(angle), np.sin(angle)]


def draw():
    fig = Figure(figsize=(8.4, 3.9))
    ax = fig.add_axes((0, 0, 1, 1), xlim=(0, 84), ylim=(0, 39))
    ax.axis("off")
    ax.grid(False)
    left, unit = 34, 4.6
    start, right = left + 6, left + unit * EVIDENCE
    for row, (name, mu, sigma) in enumerate(GUESSES):
        middle = 31 - 11.5 * row
        for shape, color, width in (
            (outline((0, 0), np.linalg.inv(PRECISION)), COLORS["black"], 1.4),
            (outline(mu, np.diag(np.square(sigma))), COLORS["blue"], 2.0),
        ):
            x, y = 8.5 + 2.1 * shape[0], middle + 2.1 * shape[1]
            ax.plot(x, y, color=color, linestyle="-", linewidth=width)
        ax.text(16.5, middle, name, va="center", size=10.5)
        kl = divergence(mu, sigma)
        split = right - unit * kl
        parts = ((start, split, COLORS["blue"], 0.35), (split, right, COLORS["orange"], 0.6))
        for begin, end, color, alpha in parts:
            ax.add_patch(Rectangle((begin, middle - 2), end - begin, 4, facecolor=color, alpha=alpha))
        ax.text((start + split) / 2, middle, "ELBO", ha="center", va="center", weight="bold")
        ax.text(right + 1.2, middle, f"KL = {kl:.2f}", va="center", size=10.5)
    ax.plot([right, right], [4.2, 35], color=COLORS["black"], linewidth=1.6, linestyle="-")
    ax.text(right, 36.2, "log p(D)", ha="center", weight="bold")
    ax.text(3, 36.2, "posterior", color=COLORS["black"], size=10.5)
    ax.text(12.6, 36.2, "and q", color=COLORS["blue"], size=10.5, weight="bold")
    line = "Uphill on the ELBO is downhill on the divergence: their sum does not move."
    ax.text(42, 1.2, line, ha="center", size=10.5)
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
        fig.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})
        if len(sys.argv) > 1:  # a PNG to look at
            fig.savefig(sys.argv[1])
