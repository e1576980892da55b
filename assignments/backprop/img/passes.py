"""Draws passes.svg: what flows forward and back through two layers. `python passes.py`."""

from pathlib import Path

from coursekit.drawing import save
from coursekit.plots import COLORS, style, subplots

FORWARD, BACK = 3.1, 1.15  # heights of the two lanes
VALUES = {
    0.4: (r"$A_0$", "(f, b)"),
    2.7: (r"$Z_1$", "(n₁, b)"),
    4.7: (r"$A_1$", "(n₁, b)"),
    7.0: (r"$Z_2$", "(n₂, b)"),
}
STEPS = {1.5: r"$W_1\,\cdot\, +\, B_1$", 3.7: r"$\sigma$", 5.85: r"$W_2\,\cdot\, +\, B_2$", 8.15: "loss"}
BACK_STEPS = {3.7: r"$\odot\,\sigma'(Z_1)$", 5.85: r"$W_2^\top\,\cdot$", 8.15: "its gradient"}


def draw():
    fig, ax = subplots(size=(9.6, 3.9))
    ax.set(xlim=(-0.2, 9.8), ylim=(-0.5, 4.2))
    ax.axis("off")

    def value(x, y, symbol, shape):
        ax.text(x, y, symbol, ha="center", va="center", size=14)
        ax.text(x, y + 0.42, shape, ha="center", va="center", size=8.5, color="#666666")

    def box(x, y, text):
        frame = {"boxstyle": "round,pad=0.45", "fc": "white", "ec": "#222222"}
        ax.text(x, y, text, ha="center", va="center", size=11, bbox=frame)

    def arrow(start, end, color, **kwargs):
        ax.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": color, "lw": 1.8, **kwargs})

    def kept(start, end, bend):
        look = {"arrowstyle": "->", "color": COLORS["grey"], "lw": 1.1, "linestyle": (0, (4, 3))}
        ax.annotate("", end, start, arrowprops=look | {"connectionstyle": f"arc3,rad={bend}"})

    for x, (symbol, shape) in VALUES.items():
        value(x, FORWARD, symbol, shape)
    for x, text in STEPS.items():
        box(x, FORWARD, text)
    first = (0.65, 0.98), (2.02, 2.42), (2.95, 3.52), (3.88, 4.42)
    second = (4.97, 5.33), (6.37, 6.72), (7.27, 7.82), (8.48, 9.0)
    for start, end in first + second:
        arrow((start, FORWARD), (end, FORWARD), COLORS["blue"])
    ax.text(9.2, FORWARD, r"$C$", ha="center", va="center", size=14)

    for x, text in BACK_STEPS.items():
        box(x, BACK, text)
    for x, symbol, shape in ((2.7, r"$\delta_1$", "(n₁, b)"), (7.0, r"$\delta_2$", "(n₂, b)")):
        value(x, BACK, symbol, shape)
    for start, end in ((7.55, 7.25), (6.75, 6.2), (5.5, 4.15), (3.25, 2.95)):
        arrow((start, BACK), (end, BACK), COLORS["red"])
    for x, layer, before in ((2.7, 1, 0), (7.0, 2, 1)):
        arrow((x, BACK - 0.25), (x, BACK - 0.85), COLORS["red"])
        weights = rf"\partial C/\partial W_{layer} = \delta_{layer}\, A_{before}^\top"
        biases = rf"\partial C/\partial B_{layer} = \sum_b \delta_{layer}"
        place = {"ha": "center", "va": "center", "size": 11, "color": COLORS["red"]}
        ax.text(x, BACK - 1.15, rf"${weights} \qquad {biases}$", **place)
    kept((2.7, FORWARD - 0.3), (3.45, BACK + 0.35), 0.15)
    kept((4.7, FORWARD - 0.3), (6.55, BACK - 0.9), 0.42)
    kept((0.4, FORWARD - 0.3), (2.2, BACK - 0.9), 0.25)
    lane = {"weight": "bold", "va": "center"}
    ax.text(-0.1, 4.05, "forward: compute, and keep", color=COLORS["blue"], **lane)
    ax.text(9.7, 2.1, "backward: the same way home", color=COLORS["red"], ha="right", **lane)
    return fig


if __name__ == "__main__":
    with style():
        caption = "Values flow forward through two layers and are kept; delta flows back."
        _, png = save(draw(), Path(__file__).parent, "passes", caption)
    png.unlink()  # the handout shows the SVG
