"""Draws steps.svg: which rows of work are done in each call, with a cache and without. Run: python
img/steps.py"""

from pathlib import Path

from matplotlib.patches import Rectangle

from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots

N_PROMPT, N_CALLS = 3, 3


def call(ax, left, total, new, label):
    """One call: a row of squares per token fed, each as long as the keys that the token sees."""
    for row in range(total):
        done = row >= total - new
        for column in range(total):
            if column > row:
                continue
            color = COLORS["orange"] if done and column >= total - new else COLORS["sky"]
            ax.add_patch(
                Rectangle(
                    (left + column, -row),
                    0.9,
                    0.9,
                    facecolor=color if done else "white",
                    edgecolor=COLORS["grey"],
                    linewidth=0.6,
                    alpha=1.0 if done else 0.35,
                )
            )
    ax.text(left, 1.3, label, size=10)


def draw():
    fig, axes = subplots(2, 1, size=(9, 5.6))
    for ax, cached, title in zip(axes, (False, True), ("Without a cache", "With a cache"), strict=True):
        left = 0
        for index in range(N_CALLS):
            total = N_PROMPT + index
            new = N_PROMPT if index == 0 or not cached else 1
            new = total if not cached else new
            call(ax, left, total, new, f"call {index + 1}: {new} token{'s' * (new > 1)} fed")
            left += total + 4
        ax.set(title=title, xlim=(-0.3, left - 2), ylim=(-5.2, 2.4), aspect="equal")
        ax.axis("off")
    fig.get_layout_engine().set(rect=(0, 0.08, 1, 0.92))
    fig.text(
        0.02,
        0.015,
        "A row is a query, a square a key that it sees. Orange: key computed in this call. "
        "Blue: key from the cache.\n"
        "White: query of an earlier call, which is not computed again.",
        size=9,
        color=COLORS["grey"],
    )
    return fig


if __name__ == "__main__":
    with style():
        fig = draw()
    svg, png = save(fig, Path(__file__).parent, "steps", "Work in three calls, with and without a cache")
    png.unlink()
